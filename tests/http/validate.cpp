// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/http/validate.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/write.hpp>

#include <doctest/doctest.h>

#include <sstream>

namespace http = weir::http;
using http::defect_in;
using http::field;
using http::verb;

namespace {

std::string on_the_wire(http::request const& r)
{
    std::ostringstream out;
    out << r;
    return out.str();
}

// What Beast makes of `wire`, and then what weir thinks of it. "beast: ..." when Beast refuses.
template <bool IsRequest>
std::string verdict(std::string_view wire)
{
    boost::beast::http::parser<IsRequest, boost::beast::http::string_body> p;
    p.eager(true);
    boost::system::error_code ec;
    p.put(boost::asio::buffer(wire.data(), wire.size()), ec);
    if (ec && ec != boost::beast::http::error::need_more) return "beast: " + ec.message();
    if (!p.is_header_done()) return "incomplete";
    auto const defect = http::framing_defect(p.get());
    return defect.empty() ? "fit" : std::string(defect);
}

}  // namespace

TEST_CASE("validate: Beast itself writes CR and LF from a target and a value to the wire, which is why this exists")
{
    auto r = http::get("/a HTTP/1.1\r\nX: y\r\n\r\nGET /b");
    CHECK(on_the_wire(r).find("\r\nX: y\r\n") != std::string::npos);
    r = http::get("/");
    r.set("X", "a\r\nEvil: 1");
    CHECK(on_the_wire(r).find("\r\nEvil: 1\r\n") != std::string::npos);
}

TEST_CASE("validate: ordinary requests are fit")
{
    CHECK(defect_in(http::get("/")).empty());
    CHECK(defect_in(http::get("/a/b%20c?d=e&f=[1]~!$'()*+,;:@")).empty());
    CHECK(defect_in(http::post("/a", "{}")).empty());
    CHECK(defect_in(http::make_request(verb::options, "*")).empty());
    auto r = http::get("/");
    r.set("X-Tab", "a\tb");
    r.set("X-Latin", "\xe9t\xe9");
    r.set("X-Empty", "");
    r.set(field::host, "a:80");
    CHECK(defect_in(r).empty());
}

TEST_CASE("validate: every octet in a target: visible ASCII but '#' is fit, nothing else")
{
    for (int c = 0; c < 256; ++c) {
        std::string target = "/a";
        target += static_cast<char>(c);
        CAPTURE(c);
        CHECK(http::valid_target(target) == (c > 0x20 && c < 0x7f && c != '#'));
        CHECK(defect_in(http::get(target)).empty() == (c > 0x20 && c < 0x7f && c != '#'));
    }
    CHECK_FALSE(http::valid_target(""));
    CHECK_FALSE(http::valid_target("a"));
    CHECK_FALSE(http::valid_target("http://elsewhere/"));
    CHECK_FALSE(http::valid_target("*"));
    CHECK_FALSE(defect_in(http::get("*")).empty());
}

TEST_CASE("validate: every octet in a header's value: no control but the tab")
{
    for (int c = 0; c < 256; ++c) {
        bool const fit = c == '\t' || (c >= 0x20 && c != 0x7f);
        std::string value = "a";
        value += static_cast<char>(c);
        value += 'b';
        auto r = http::get("/");
        r.set("X-Value", value);
        CAPTURE(c);
        CHECK(http::valid_field_value(value) == fit);
        CHECK(defect_in(r).empty() == fit);
    }
}

TEST_CASE("validate: every octet in a header's name: only those of a token")
{
    for (int c = 1; c < 256; ++c) {
        bool const fit = std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos ||
                         (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        std::string name = "x";
        name += static_cast<char>(c);
        auto r = http::get("/");
        r.set(name, "v");
        CAPTURE(c);
        CHECK(http::valid_token(name) == fit);
        CHECK(defect_in(r).empty() == fit);
    }
    CHECK_FALSE(http::valid_token(""));
}

TEST_CASE("validate: a method must be a token, and CONNECT is none of this client's")
{
    auto r = http::get("/");
    r.method_string("PURGE");
    CHECK(defect_in(r).empty());
    for (char const* bad : {"GET /x HTTP/1.1\r\nA:", "G T", "G\tT", "\x80"}) {
        r.method_string(bad);
        CHECK_FALSE(defect_in(r).empty());
    }
    CHECK_FALSE(defect_in(http::make_request(verb::connect, "/")).empty());
}

TEST_CASE("validate: TRACE has no body")
{
    auto r = http::make_request(verb::trace, "/");
    CHECK(defect_in(r).empty());
    r.body() = "x";
    CHECK(defect_in(r) == "body: TRACE has none");
}

TEST_CASE("validate: the caller cannot frame the body by hand")
{
    auto r = http::post("/", "12345");
    r.set(field::content_length, "5");
    CHECK(defect_in(r).empty());
    for (char const* bad : {"4", "6", "+5", "5 5", "5,5", "0x5", "", "-5", "99999999999999999999999999"}) {
        r.set(field::content_length, bad);
        CAPTURE(bad);
        CHECK_FALSE(defect_in(r).empty());
    }
    r = http::post("/", "12345");
    r.chunked(true);
    CHECK_FALSE(defect_in(r).empty());
    r = http::get("/");
    r.insert(field::host, "a");
    r.insert(field::host, "b");
    CHECK_FALSE(defect_in(r).empty());
    r = http::get("/");
    r.version(10);
    CHECK_FALSE(defect_in(r).empty());
}

TEST_CASE("validate: messages whose length two readers could see differently are refused by Beast or by us")
{
    // From the published corpora on request smuggling: each row is the header block.
    char const* const doubtful[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Content-Length\0: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;x=1",
        ("Transfer-Encoding:\x0b"
         "chunked"),
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding\n: chunked",
        "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        "X: y\rTransfer-Encoding: chunked",
        "X\r: y",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
    };
    for (std::string const headers : doubtful) {
        CAPTURE(headers);
        CHECK(verdict<true>("POST / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n\r\n") != "fit");
        CHECK(verdict<false>("HTTP/1.1 200 OK\r\n" + headers + "\r\n\r\n") != "fit");
    }
    CHECK(verdict<true>("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") != "fit");
    CHECK(verdict<true>("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") == "fit");
    CHECK(verdict<true>("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n") == "fit");
    CHECK(verdict<true>("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n") == "fit");
    CHECK(verdict<false>("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") == "fit");
}

TEST_CASE("validate: a folded line becomes part of the value before it, and frames nothing")
{
    boost::beast::http::request_parser<boost::beast::http::string_body> p;
    boost::system::error_code ec;
    std::string_view const wire = "POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 5\r\n\r\n";
    p.put(boost::asio::buffer(wire.data(), wire.size()), ec);
    CHECK_FALSE(ec);
    CHECK(p.get()[field::host] == "a Content-Length: 5");
    CHECK_FALSE(p.content_length().has_value());
}
