// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::registry::detail {

namespace asio = boost::asio;

/// DNS messages (RFC 1035, 2782, 3596, 6891): questions written, answers read. Functions of their arguments.

enum class dns_record_type : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, aaaa = 28, srv = 33, opt = 41 };

/// One record of an answer; which members mean something depends on the type.
struct dns_record {
    std::string name;  ///< lower case, without a dot at the end; "." is the root
    dns_record_type type{};
    std::uint32_t ttl = 0;           ///< seconds
    std::string target = {};         ///< CNAME, SRV: a name like `name`
    std::string address = {};        ///< A, AAAA
    std::uint16_t priority = 0;      ///< SRV
    std::uint16_t weight = 0;        ///< SRV
    std::uint16_t port = 0;          ///< SRV
    std::uint32_t negative_ttl = 0;  ///< SOA: seconds
};

/// A message as far as it is of use here: records of other types, and the rest of a SOA, are checked and dropped.
struct dns_message {
    std::uint16_t id = 0;
    bool response = false;
    bool truncated = false;
    std::uint16_t rcode = 0;  ///< with the upper bits of EDNS
    std::string name;         ///< of the question
    std::uint16_t type = 0;   ///< of the question
    std::vector<dns_record> answers, authority, additional;
};

/// What a UDP answer may have: fits every path unfragmented (dnsflagday.net/2020).
inline constexpr std::uint16_t dns_udp_size = 1232;

/// Names that can be asked for: up to 253 characters, labels of 1 to 63, all visible ASCII but the backslash. One dot
/// at the end is allowed.
[[nodiscard]] bool valid_dns_name(std::string_view name) noexcept;

/// Lower case, without a dot at the end: as names in a dns_message are written.
[[nodiscard]] std::string canonical_dns_name(std::string_view name);

/// A question, recursion desired. `name` is a valid one.
[[nodiscard]] std::vector<std::uint8_t> write_dns_question(std::uint16_t id, std::string_view name,
                                                           dns_record_type type, bool edns = true);

/// Reads a message, all of it. Refuses, with the reason in `why`, what runs over the end, names that are too long or
/// point anywhere but backwards, data of the wrong length, and anything behind the last record.
[[nodiscard]] std::optional<dns_message> read_dns_message(std::span<std::uint8_t const> wire, std::string& why);

/// Whether `wire` begins like the answer to this question. Whoever can guess neither the id nor the port can not forge
/// it.
[[nodiscard]] bool answers_dns_question(std::span<std::uint8_t const> wire, std::uint16_t id, std::string_view name,
                                        dns_record_type type);

// Bodies

inline bool valid_dns_name(std::string_view name) noexcept
{
    if (name.ends_with('.')) name.remove_suffix(1);
    std::size_t label = 0;
    for (char const c : name) {
        if (c == '.' ? label == 0 : c <= 0x20 || c >= 0x7f || c == '\\') return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
    }
    return label != 0 && name.size() <= 253;
}

inline std::string canonical_dns_name(std::string_view name)
{
    if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return out;
}

inline std::vector<std::uint8_t> write_dns_question(std::uint16_t id, std::string_view name, dns_record_type type,
                                                    bool edns)
{
    std::vector<std::uint8_t> out;
    auto const u16 = [&](unsigned v) {
        out.push_back(static_cast<std::uint8_t>(v >> 8));
        out.push_back(static_cast<std::uint8_t>(v));
    };
    u16(id);
    u16(0x0100);  // recursion desired
    u16(1);
    u16(0);
    u16(0);
    u16(edns ? 1 : 0);
    if (name.ends_with('.')) name.remove_suffix(1);
    while (!name.empty()) {
        auto const label = name.substr(0, name.find('.'));
        out.push_back(static_cast<std::uint8_t>(label.size()));
        for (char const c : label) out.push_back(static_cast<std::uint8_t>(c));
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    out.push_back(0);
    u16(static_cast<std::uint16_t>(type));
    u16(1);  // IN
    if (edns) {
        out.push_back(0);  // the root
        u16(static_cast<std::uint16_t>(dns_record_type::opt));
        u16(dns_udp_size);
        u16(0);
        u16(0);
        u16(0);
    }
    return out;
}

/// Reads forward; at the first thing that is wrong it stops, and from then on gives zeros.
class dns_reader {
public:
    explicit dns_reader(std::span<std::uint8_t const> wire) : wire_(wire) {}

    [[nodiscard]] bool good() const noexcept { return why_ == nullptr; }
    [[nodiscard]] char const* why() const noexcept { return why_ ? why_ : ""; }
    [[nodiscard]] std::size_t position() const noexcept { return at_; }
    [[nodiscard]] std::size_t rest() const noexcept { return wire_.size() - at_; }

    void fail(char const* why) noexcept
    {
        if (!why_) why_ = why;
        at_ = wire_.size();
    }

    [[nodiscard]] std::span<std::uint8_t const> bytes(std::size_t count)
    {
        if (count > rest()) fail("it ends in the middle of a record");
        if (!good()) return {};
        at_ += count;
        return wire_.subspan(at_ - count, count);
    }
    [[nodiscard]] std::uint16_t u16()
    {
        auto const b = bytes(2);
        return b.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(b[0] << 8 | b[1]);
    }
    [[nodiscard]] std::uint32_t u32()
    {
        auto const high = u16();
        return static_cast<std::uint32_t>(high) << 16 | u16();
    }

    [[nodiscard]] std::string name()
    {
        std::string out;
        auto at = at_, before = at_;  // a pointer goes to before the place from which it was reached: no loops
        std::size_t length = 1, jumps = 0;
        for (;;) {
            if (at >= wire_.size()) return fail("a name runs over the end"), std::string();
            auto const head = wire_[at];
            if (head >= 0xc0) {
                if (at + 1 >= wire_.size()) return fail("a name runs over the end"), std::string();
                if (jumps++ == 0) at_ = at + 2;
                at = static_cast<std::size_t>((head & 0x3f) << 8 | wire_[at + 1]);
                if (at >= before) return fail("a name points to what is not before it"), std::string();
                if (jumps > 127) return fail("a name has more pointers than it can have labels"), std::string();
                before = at;
                continue;
            }
            if (head >= 0x40) return fail("a label of an unknown type"), std::string();
            if (head == 0) break;
            if (head + std::size_t{1} > wire_.size() - at) return fail("a name runs over the end"), std::string();
            length += head + std::size_t{1};
            if (length > 255) return fail("a name is longer than 255 bytes"), std::string();
            if (!out.empty()) out += '.';
            for (auto const c : wire_.subspan(at + 1, head)) append(out, c);
            at += head + std::size_t{1};
        }
        if (jumps == 0) at_ = at + 1;
        return out.empty() ? "." : out;
    }

private:
    static void append(std::string& out, std::uint8_t c)
    {
        if (c > 0x20 && c < 0x7f && c != '.' && c != '\\') {
            out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        } else {  // RFC 1035, 5.1
            out += '\\';
            for (int const unit : {100, 10, 1}) out += static_cast<char>('0' + c / unit % 10);
        }
    }

    std::span<std::uint8_t const> wire_;
    std::size_t at_ = 0;
    char const* why_ = nullptr;
};

inline void read_dns_record(dns_reader& in, dns_message& m, std::vector<dns_record>& section)
{
    dns_record r{.name = in.name()};
    auto const type = in.u16(), type_class = in.u16();
    auto const ttl = in.u32();
    r.type = static_cast<dns_record_type>(type);
    r.ttl = ttl <= 0x7fff'ffff ? ttl : 0;  // RFC 2181, 8
    std::size_t const size = in.u16();
    if (size > in.rest()) in.fail("it ends in the middle of a record");
    auto const end = in.position() + size;
    if (r.type == dns_record_type::opt) {
        m.rcode = static_cast<std::uint16_t>(m.rcode | (ttl >> 24) << 4);
        return void(in.bytes(size));
    }
    if (type_class != 1) return void(in.bytes(size));
    switch (r.type) {
        case dns_record_type::a:
            if (auto const b = in.bytes(size); b.size() == 4)
                r.address = asio::ip::address_v4({b[0], b[1], b[2], b[3]}).to_string();
            else
                return in.fail("an A record is not of 4 bytes");
            break;
        case dns_record_type::aaaa:
            if (auto const b = in.bytes(size); b.size() == 16) {
                asio::ip::address_v6::bytes_type raw;
                std::copy(b.begin(), b.end(), raw.begin());
                r.address = asio::ip::address_v6(raw).to_string();
            } else {
                return in.fail("an AAAA record is not of 16 bytes");
            }
            break;
        case dns_record_type::srv:
            r.priority = in.u16();
            r.weight = in.u16();
            r.port = in.u16();
            r.target = in.name();
            break;
        case dns_record_type::cname:
        case dns_record_type::ns: r.target = in.name(); break;
        case dns_record_type::soa:
            (void)in.name();
            (void)in.name();
            for (int i = 0; i < 4; ++i) (void)in.u32();  // serial, refresh, retry, expire
            r.negative_ttl = in.u32();
            break;
        default: return void(in.bytes(size));
    }
    if (in.good() && in.position() != end) return in.fail("a record's data is not as long as it says");
    if (in.good()) section.push_back(std::move(r));
}

inline std::optional<dns_message> read_dns_message(std::span<std::uint8_t const> wire, std::string& why)
{
    dns_reader in(wire);
    dns_message m;
    m.id = in.u16();
    auto const flags = in.u16();
    m.response = (flags & 0x8000) != 0;
    m.truncated = (flags & 0x0200) != 0;
    m.rcode = flags & 0x000f;
    auto const questions = in.u16(), answers = in.u16(), authority = in.u16(), additional = in.u16();
    if (in.good() && (flags & 0x7800) != 0) in.fail("it is not an answer to a query");
    if (in.good() && questions != 1) in.fail("it does not repeat the question");
    if (in.good()) {
        m.name = in.name();
        m.type = in.u16();
        if (in.u16() != 1 && in.good()) in.fail("the class is not IN");
    }
    for (auto const& [count, section] :
         {std::pair{answers, &m.answers}, {authority, &m.authority}, {additional, &m.additional}})
        for (unsigned i = 0; i < count && in.good(); ++i) read_dns_record(in, m, *section);
    if (in.good() && in.rest() != 0) in.fail("there is something behind the last record");
    if (in.good()) return m;
    why = in.why();
    return std::nullopt;
}

inline bool answers_dns_question(std::span<std::uint8_t const> wire, std::uint16_t id, std::string_view name,
                                 dns_record_type type)
{
    dns_reader in(wire);
    if (in.u16() != id || (in.u16() & 0xf800) != 0x8000 || in.u16() != 1) return false;
    (void)in.bytes(6);
    return in.name() == canonical_dns_name(name) && in.u16() == static_cast<std::uint16_t>(type) && in.u16() == 1;
}

}  // namespace weir::registry::detail
