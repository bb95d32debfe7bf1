// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string_view>

namespace weir::detail {

/// `shared_gcra`, line by line, as a script of Redis: so a decision is atomic, and on the one clock that all processes
/// share. One key; its value is five doubles, exact; it ends when nothing is owed any more.
///
///   KEYS[1]  the limit
///   ARGV     T, tau, want, least, share, hold   ->  {permits, microseconds to wait, stamp}
///   ARGV     T, permits, stamp                  ->  1, or 0 where nothing could be taken off
///
/// Microseconds, since 2024 where they are instants: a double resolves those to 1/64.
inline constexpr std::string_view redis_script = R"(
local t = redis.call('TIME')
local now = (t[1] - 1704067200) * 1000000 + t[2]
local word = redis.call('GET', KEYS[1])
local tat, since, low, before, deep = 0, 0, 0, 0, 0
if word then
  if #word ~= 40 then return redis.error_reply('WRONGTYPE this key is not a limit of weir') end
  tat, since, low, before, deep = struct.unpack('<ddddd', word)
end
local function write()
  local text = struct.pack('<ddddd', tat, since, low, before, deep)
  redis.call('SET', KEYS[1], text, 'PX', math.ceil((tat - now) / 1000) + 1)
end
local T = tonumber(ARGV[1])
if #ARGV == 3 then
  local permits, stamp = tonumber(ARGV[2]), tonumber(ARGV[3])
  if not word then return 0 end
  low = math.min(low, tat - now)
  local least = 0
  if stamp >= since then least = low elseif stamp >= before then least = math.min(low, deep) end
  local back = math.min(permits * T, least)
  if back <= 0 then return 0 end
  tat, low, deep = tat - back, low - back, deep - back
  write()
  return 1
end
local tau, want, least, share, hold =
  tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local back = since > now
if back then
  tat = tat - (since - now)
  since, before, low, deep = now, now, 0, 0
end
local debt = math.min(math.max(tat - now, 0), tau)
local free = math.floor((tau - debt) / T + 1e-9)
if free < least then
  if back then write() end
  return {0, math.ceil(least * T - (tau - debt)), 0}
end
local n = math.max(least, math.min(want, math.floor(free * share)))
local owed = debt + n * T
if tat <= now then
  since, before, low, deep = now, now, owed, owed
else
  low = math.min(low, debt)
  if now - since >= hold then
    before, deep, since, low = since, low, now, debt
  end
end
tat = now + owed
write()
return {n, 0, now}
)";

/// Its SHA-1, which Redis knows it by.
inline constexpr std::string_view redis_script_sha1 = "0fe249efeebe0318fc65a178639c154f613baa30";

}  // namespace weir::detail
