// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/shared/detail/redis_reader.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Speaks RESP on a loopback port, and says what the test tells it to. Commands are seen as their words, put together
/// with blanks.
class fake_redis {
public:
    /// What it answers, as bytes; none: it says nothing.
    std::function<std::optional<std::string>(std::string const& command)> answer = [](auto const&) {
        return "+OK\r\n";
    };
    std::vector<std::string> seen = {};
    int accepted = 0;
    std::size_t piece = 0;  ///< bytes written at once; 0: all
    bool close_after_answer = false;

    explicit fake_redis(boost::asio::io_context& io, std::uint16_t port = 0)
        : acceptor_(io, {boost::asio::ip::address_v4::loopback(), port})
    {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void refuse() { acceptor_.close(); }
    void cut()
    {
        for (auto const& weak : all_)
            if (auto const s = weak.lock()) s->socket.close();
    }

private:
    using tcp = boost::asio::ip::tcp;

    struct session {
        explicit session(tcp::socket s) : socket(std::move(s)) {}
        tcp::socket socket;
        weir::detail::redis_reader reader{1 << 20};
        std::array<char, 4096> in{};
    };

    void accept()
    {
        acceptor_.async_accept([this](boost::system::error_code ec, tcp::socket s) {
            if (ec) return;
            ++accepted;
            auto const one = std::make_shared<session>(std::move(s));
            all_.push_back(one);
            read(one);
            accept();
        });
    }

    void read(std::shared_ptr<session> const& s)
    {
        s->socket.async_read_some(boost::asio::buffer(s->in), [this, s](boost::system::error_code ec, std::size_t n) {
            if (ec || !s->reader.feed({s->in.data(), n})) return;
            std::string out;
            std::optional<weir::redis_reply> command;
            while (!s->reader.next(command) && command) {
                std::string words;
                for (std::size_t i = 0; i < command->value().size(); ++i) {
                    if (i != 0) words += ' ';
                    words += command->value()[i].text();
                }
                seen.push_back(words);
                out += answer(words).value_or("");
            }
            boost::system::error_code ignored;
            for (std::size_t at = 0; at < out.size();) {
                auto const size = piece == 0 ? out.size() : std::min(piece, out.size() - at);
                boost::asio::write(s->socket, boost::asio::buffer(out.data() + at, size), ignored);
                at += size;
            }
            if (close_after_answer && !out.empty()) return s->socket.close();
            read(s);
        });
    }

    boost::asio::ip::tcp::acceptor acceptor_;
    std::vector<std::weak_ptr<session>> all_;
};
