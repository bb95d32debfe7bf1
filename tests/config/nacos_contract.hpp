// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "registry/matrix/contract_server.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <sstream>
#include <string>

namespace weir::testing {

/// Nacos' configuration over HTTP as its source has it (alibaba/nacos 486e198: ConfigController and LongPollingService
/// of v1, ConfigOpenApiController of v3). Written from the source: not a live server; v1 is checked by the client that
/// Nacos' own people wrote (registry/referees/run).
class nacos_config_contract {
public:
    bool v1 = true, v3 = true;   ///< which interfaces there are: 2.x has v1, 3.0 and 3.1 both, 3.2 only v3
    bool gone = false;           ///< what is not there is switched off: 410
    std::string user, password;  ///< that have to sign in; empty: nobody has to
    std::string token = "t1";    ///< what signing in gives; other tokens are answered by 403
    int token_ttl = 18000;
    int logins = 0;
    std::map<std::string, std::string> contents;  ///< by data id, group and tenant, with \x02 between them

    std::string operator()(std::string const& request, std::chrono::milliseconds held)
    {
        auto const line = request.substr(0, request.find("\r\n"));
        auto const method = line.substr(0, line.find(' '));
        auto const target = line.substr(method.size() + 1, line.find(" HTTP") - method.size() - 1);
        auto const path = target.substr(0, target.find('?'));
        auto has = form_fields(target.size() == path.size() ? "" : target.substr(path.size() + 1));
        has.merge(form_fields(request.substr(request.find("\r\n\r\n") + 4)));

        bool const third = path.starts_with("/nacos/v3/");
        if (third ? !v3 : !v1) return gone ? say(410, "Current API will be deprecated") : say(404, R"({"status":404})");
        if (path == "/nacos/v3/auth/user/login" || path == "/nacos/v1/auth/login") {
            if (has["username"] != user || has["password"] != password) return say(403, "unknown user!");
            ++logins;
            return say(200, R"({"accessToken":")" + token + R"(","tokenTtl":)" + std::to_string(token_ttl) +
                                R"(,"globalAdmin":true})");
        }
        if (!user.empty() && header_of(request, "authorization") != "Bearer " + token)
            return third ? say(403, R"({"code":403,"message":"access denied","data":null})")
                         : say(403, R"({"status":403,"message":"token invalid!"})");
        if (path == "/nacos/v3/client/cs/config" && method == "GET") {
            auto const found = contents.find(key(has["dataId"], has["groupName"], has["namespaceId"]));
            if (found == contents.end())
                return say(404, R"({"code":20004,"message":"config data not exist","data":null})");
            return say(200, boost::json::serialize(boost::json::object{{"code", 0},
                                                                       {"message", "success"},
                                                                       {"data",
                                                                        {{"content", found->second},
                                                                         {"md5", md5(found->second)},
                                                                         {"contentType", "json"},
                                                                         {"lastModified", 1795385825254}}}}));
        }
        if (path == "/nacos/v1/cs/configs/listener" && method == "POST") return listen(request, has, held);
        if (path != "/nacos/v1/cs/configs") return say(404, R"({"status":404})");
        if (has["dataId"].empty() || has["group"].empty()) return say(400, "Required parameter is not present");
        auto const name = key(has["dataId"], has["group"], has["tenant"]);
        if (method == "DELETE") {
            contents.erase(name);
            return say(200, "true");
        }
        if (method == "POST") {
            if (has["content"].empty()) return say(400, "content : content is null or empty");
            contents[name] = has["content"];
            return say(200, "true");
        }
        auto const found = contents.find(name);
        if (found == contents.end()) return say(404, "config data not exist\n");
        return say(200, found->second, "Content-MD5: " + md5(found->second) + "\r\nConfig-Type: json\r\n");
    }

    /// What names one configuration. The tenant of what has none is "public" in v3, and nothing in v1.
    [[nodiscard]] static std::string key(std::string const& id, std::string const& group, std::string const& tenant)
    {
        return id + '\x02' + group + '\x02' + (tenant == "public" ? "" : tenant);
    }

private:
    static std::string say(int status, std::string const& body, std::string const& headers = {})
    {
        return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    static std::string md5(std::string const& text)
    {
        std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
        unsigned size = 0;
        EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_md5(), nullptr);
        std::string out;
        for (unsigned i = 0; i < size; ++i)
            for (auto const digit : {sum[i] >> 4, sum[i] & 15}) out += "0123456789abcdef"[digit];
        return out;
    }

    // LongPollingService.addLongPollingClient, MD5Util.compareMd5 and .compareMd5ResultString
    std::string listen(std::string const& request, std::map<std::string, std::string>& has,
                       std::chrono::milliseconds held) const
    {
        std::string changed;
        std::stringstream all(has["Listening-Configs"]);
        for (std::string one; std::getline(all, one, '\x01');) {
            std::array<std::string, 4> field;
            std::stringstream words(one);
            for (auto& f : field) std::getline(words, f, '\x02');
            auto const found = contents.find(key(field[0], field[1], field[3]));
            if (field[2] == (found == contents.end() ? "" : md5(found->second))) continue;
            changed += field[0] + "%02" + field[1] + (field[3].empty() ? "" : "%02" + field[3]) + "%01";
        }
        if (!changed.empty()) return say(200, changed + '\n');
        auto const asked = std::atol(header_of(request, "long-pulling-timeout").c_str());
        bool const waits = asked > 0 && header_of(request, "long-pulling-timeout-no-hangup") != "true";
        auto const patience = std::chrono::milliseconds(std::max(10'000L, asked - 500));
        return waits && held < patience ? "" : say(200, "");
    }
};

}  // namespace weir::testing
