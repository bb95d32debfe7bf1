// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

/// ZooKeeper's wire format (jute; written against 3.8.0, the same since 3.4): records of big-endian numbers and strings
/// with their length, each in a frame that says how long it is. Functions of their arguments.

enum class zk_op : std::int32_t {
    create = 1,
    remove = 2,
    exists = 3,
    get_data = 4,
    set_data = 5,
    ping = 11,
    get_children = 12,  ///< "getChildren2": with what is known of the parent
    auth = 100,
    close = -11,
};

/// What the answers to nobody's question have for a number.
enum class zk_xid : std::int32_t { event = -1, ping = -2, auth = -4 };

enum class zk_error : std::int32_t {
    none = 0,
    no_node = -101,
    no_auth = -102,
    node_exists = -110,
    session_expired = -112,
    auth_failed = -115,
};

enum class zk_event_type : std::int32_t { none = -1, created = 1, deleted = 2, data = 3, children = 4 };

/// A session, to be had or resumed.
struct zk_session_id {
    std::int64_t id = 0;
    std::string password = std::string(16, '\0');
};

struct zk_connected {
    std::int32_t timeout_ms = 0;  ///< 0: there is no such session any more
    zk_session_id session = {};
};

struct zk_reply {
    std::int32_t xid = 0;
    std::int64_t zxid = 0;  ///< the server's state that this shows
    zk_error error = zk_error::none;
    std::string_view body = {};  ///< of the frame it was read from
};

struct zk_event {
    zk_event_type type = zk_event_type::none;
    std::string path = {};
};

struct zk_stat {
    std::int64_t owner = 0;  ///< the session that an ephemeral node belongs to; 0: to none
};

// Written: whole frames.

[[nodiscard]] std::string write_zk_connect(std::int64_t last_zxid, std::int32_t timeout_ms, zk_session_id const& s);
/// Ephemeral nodes go with the session. `creator_only`: nobody else may do anything with it, instead of everybody all.
[[nodiscard]] std::string write_zk_create(std::int32_t xid, std::string_view path, std::string_view data,
                                          bool ephemeral, bool creator_only);
[[nodiscard]] std::string write_zk_remove(std::int32_t xid, std::string_view path);
[[nodiscard]] std::string write_zk_set_data(std::int32_t xid, std::string_view path, std::string_view data);
/// exists, get_data, get_children: with `watch`, one event when that changes.
[[nodiscard]] std::string write_zk_read(std::int32_t xid, zk_op op, std::string_view path, bool watch);
[[nodiscard]] std::string write_zk_auth(std::string_view scheme, std::string_view credential);
[[nodiscard]] std::string write_zk_plain(std::int32_t xid, zk_op op);  ///< ping, close

// Read: the contents of one frame, without its length. Nothing when it is not what it should be, to the last byte.

[[nodiscard]] std::optional<zk_connected> read_zk_connected(std::string_view frame);
[[nodiscard]] std::optional<zk_reply> read_zk_reply(std::string_view frame);  ///< the body is not looked at
[[nodiscard]] std::optional<zk_event> read_zk_event(std::string_view body);
[[nodiscard]] std::optional<zk_stat> read_zk_stat(std::string_view body);
[[nodiscard]] std::optional<std::vector<std::string>> read_zk_children(std::string_view body);
[[nodiscard]] std::optional<std::string> read_zk_data(std::string_view body);

/// Cuts frames from a stream of bytes.
class zk_splitter {
public:
    /// The longest frame that is taken: a server's own limit is 1 MB unless set otherwise.
    static constexpr std::size_t max_frame = 16u << 20;

    void push(std::string_view bytes) { buffer_.append(bytes); }

    /// The next frame's contents, if it is complete.
    [[nodiscard]] std::optional<std::string> next();

    /// A length that no frame can have: the stream is lost.
    [[nodiscard]] bool broken() const noexcept { return broken_; }

private:
    std::string buffer_;
    std::size_t at_ = 0;
    bool broken_ = false;
};

// Bodies

class zk_writer {
public:
    zk_writer& i32(std::int32_t v) { return number(static_cast<std::uint32_t>(v), 4); }
    zk_writer& i64(std::int64_t v) { return number(static_cast<std::uint64_t>(v), 8); }
    zk_writer& flag(bool v) { return number(v ? 1 : 0, 1); }
    zk_writer& text(std::string_view s)
    {
        i32(static_cast<std::int32_t>(s.size()));
        out_ += s;
        return *this;
    }
    zk_writer& head(std::int32_t xid, zk_op op) { return i32(xid).i32(static_cast<std::int32_t>(op)); }

    [[nodiscard]] std::string frame() const { return zk_writer().text(out_).out_; }

private:
    zk_writer& number(std::uint64_t v, int bytes)
    {
        for (int i = bytes - 1; i >= 0; --i) out_ += static_cast<char>(static_cast<unsigned char>(v >> (8 * i)));
        return *this;
    }

    std::string out_;
};

/// Reads forward; once it fails it gives nothing any more.
class zk_reader {
public:
    explicit zk_reader(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool good() const noexcept { return good_; }
    [[nodiscard]] bool done() const noexcept { return good_ && rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

    std::string_view bytes(std::size_t n)
    {
        if (n > rest_.size()) good_ = false;
        if (!good_) return {};
        auto const out = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return out;
    }
    std::int32_t i32() { return static_cast<std::int32_t>(static_cast<std::uint32_t>(number(4))); }
    std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }
    std::string_view text()
    {
        auto const n = i32();
        if (n < -1) good_ = false;  // -1 is null
        return n > 0 ? bytes(static_cast<std::size_t>(n)) : std::string_view();
    }
    zk_stat stat()
    {
        (void)bytes(4 * 8 + 3 * 4);  // czxid, mzxid, ctime, mtime; version, cversion, aversion
        auto const owner = i64();
        (void)bytes(2 * 4 + 8);  // data length, number of children; pzxid
        return {owner};
    }

private:
    std::uint64_t number(std::size_t n)
    {
        std::uint64_t v = 0;
        for (char const c : bytes(n)) v = v << 8 | static_cast<unsigned char>(c);
        return v;
    }

    std::string_view rest_;
    bool good_ = true;
};

inline std::string write_zk_connect(std::int64_t last_zxid, std::int32_t timeout_ms, zk_session_id const& s)
{
    return zk_writer().i32(0).i64(last_zxid).i32(timeout_ms).i64(s.id).text(s.password).flag(false).frame();
}

inline std::string write_zk_create(std::int32_t xid, std::string_view path, std::string_view data, bool ephemeral,
                                   bool creator_only)
{
    return zk_writer()
        .head(xid, zk_op::create)
        .text(path)
        .text(data)
        .i32(1)
        .i32(31)  // all permissions
        .text(creator_only ? "auth" : "world")
        .text(creator_only ? "" : "anyone")
        .i32(ephemeral ? 1 : 0)
        .frame();
}

inline std::string write_zk_remove(std::int32_t xid, std::string_view path)
{
    return zk_writer().head(xid, zk_op::remove).text(path).i32(-1).frame();  // of any version
}

inline std::string write_zk_set_data(std::int32_t xid, std::string_view path, std::string_view data)
{
    return zk_writer().head(xid, zk_op::set_data).text(path).text(data).i32(-1).frame();
}

inline std::string write_zk_read(std::int32_t xid, zk_op op, std::string_view path, bool watch)
{
    return zk_writer().head(xid, op).text(path).flag(watch).frame();
}

inline std::string write_zk_auth(std::string_view scheme, std::string_view credential)
{
    auto const xid = static_cast<std::int32_t>(zk_xid::auth);
    return zk_writer().head(xid, zk_op::auth).i32(0).text(scheme).text(credential).frame();
}

inline std::string write_zk_plain(std::int32_t xid, zk_op op) { return zk_writer().head(xid, op).frame(); }

inline std::optional<zk_connected> read_zk_connected(std::string_view frame)
{
    zk_reader in(frame);
    zk_connected c;
    (void)in.i32();  // protocol version
    c.timeout_ms = in.i32();
    c.session.id = in.i64();
    c.session.password = in.text();
    if (in.rest().size() == 1) (void)in.bytes(1);  // read-only: servers before 3.4 do not say
    if (!in.done() || c.session.password.size() > 1024 || c.timeout_ms < 0) return std::nullopt;
    return c;
}

inline std::optional<zk_reply> read_zk_reply(std::string_view frame)
{
    zk_reader in(frame);
    zk_reply r;
    r.xid = in.i32();
    r.zxid = in.i64();
    r.error = static_cast<zk_error>(in.i32());
    r.body = in.rest();
    if (!in.good()) return std::nullopt;
    return r;
}

inline std::optional<zk_event> read_zk_event(std::string_view body)
{
    zk_reader in(body);
    zk_event e;
    e.type = static_cast<zk_event_type>(in.i32());
    (void)in.i32();  // the state of the connection, of which the client knows more
    e.path = in.text();
    if (!in.done()) return std::nullopt;
    return e;
}

inline std::optional<zk_stat> read_zk_stat(std::string_view body)
{
    zk_reader in(body);
    auto const s = in.stat();
    if (!in.done()) return std::nullopt;
    return s;
}

inline std::optional<std::vector<std::string>> read_zk_children(std::string_view body)
{
    zk_reader in(body);
    std::vector<std::string> names;
    for (auto n = in.i32(); n > 0 && in.good(); --n) names.emplace_back(in.text());
    (void)in.stat();
    if (!in.done()) return std::nullopt;
    return names;
}

inline std::optional<std::string> read_zk_data(std::string_view body)
{
    zk_reader in(body);
    std::string data(in.text());
    (void)in.stat();
    if (!in.done()) return std::nullopt;
    return data;
}

inline std::optional<std::string> zk_splitter::next()
{
    if (broken_ || buffer_.size() - at_ < 4) return std::nullopt;
    zk_reader in(std::string_view(buffer_).substr(at_));
    auto const size = in.i32();
    broken_ = size < 0 || static_cast<std::size_t>(size) > max_frame;
    if (broken_ || in.rest().size() < static_cast<std::size_t>(size)) return std::nullopt;
    std::string frame(in.bytes(static_cast<std::size_t>(size)));
    at_ += 4 + frame.size();
    if (at_ == buffer_.size() || at_ > 65536) {  // not at every frame: moving what is left would be quadratic
        buffer_.erase(0, at_);
        at_ = 0;
    }
    return frame;
}

}  // namespace weir::registry::detail
