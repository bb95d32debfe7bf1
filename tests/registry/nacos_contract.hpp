// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "registry/matrix/contract_server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

/// Nacos' naming over HTTP as its source has it (alibaba/nacos 486e198, naming/.../controllers: v3
/// InstanceOpenApiController and v1 InstanceController): what may be asked, what is answered, and when an instance is
/// not known. Written from the source, and so no better than its reading: not a live server. No instance ends here but
/// by `forget`.
class nacos_contract {
public:
    bool v1 = true, v3 = true;   ///< which interfaces there are: 2.x has v1, 3.0 and 3.1 both, 3.2 only v3
    bool gone = false;           ///< v1 is there, but switched off: 410
    std::string user, password;  ///< that have to sign in; empty: nobody has to
    std::string token = "t1";    ///< what signing in gives; other tokens are answered by 403
    int token_ttl = 18000;
    int beat_interval = 0;  ///< 0: as the instance has it
    bool degraded = false;
    std::vector<std::string> asked;                        ///< first lines
    std::vector<std::map<std::string, std::string>> told;  ///< parameters of each
    std::map<std::string, boost::json::object> instances;  ///< of web, by ip:port

    std::string operator()(std::string const& request)
    {
        auto const line = request.substr(0, request.find("\r\n"));
        auto const method = line.substr(0, line.find(' '));
        auto const target = line.substr(method.size() + 1, line.find(" HTTP") - method.size() - 1);
        auto const path = target.substr(0, target.find('?'));
        auto has = parameters(target.size() == path.size() ? "" : target.substr(path.size() + 1));
        has.merge(parameters(request.substr(request.find("\r\n\r\n") + 4)));
        asked.push_back(method + " " + path);
        told.push_back(has);

        bool const third = path.rfind("/nacos/v3/", 0) == 0;
        if (third ? !v3 : !v1) return gone ? say(410, "Current API will be deprecated") : say(404, R"({"status":404})");
        if (path == "/nacos/v3/auth/user/login" || path == "/nacos/v1/auth/login") {
            if (has["username"] != user || has["password"] != password) return say(403, "unknown user!");
            return say(200, R"({"accessToken":")" + token + R"(","tokenTtl":)" + std::to_string(token_ttl) +
                                R"(,"globalAdmin":true})");
        }
        if (!user.empty() && request.find("\r\nAuthorization: Bearer " + token + "\r\n") == request.npos)
            return third ? say(403, R"({"code":403,"message":"access denied","data":null})")
                         : say(403, R"({"status":403,"message":"token invalid!"})");
        auto const service = third ? "web" : "DEFAULT_GROUP@@web";
        auto const at = std::string(third ? "/nacos/v3/client/ns/instance" : "/nacos/v1/ns/instance");
        if (has["serviceName"] != service || has["namespaceId"] != "public" || has["groupName"] != "DEFAULT_GROUP")
            return say(400, "caused: Param 'serviceName' is required.");
        auto const id = has["ip"] + ":" + has["port"];
        if (path == at + "/list" && method == "GET") return list(third);
        if (path == at && method == "POST") {
            if (!third || has["heartBeat"] != "true") return add(third, id, has);
            // InstanceOpenApiController.register: "21003 to indicate caller should register again"
            if (instances.count(id) == 0)
                return say(200, R"({"code":21003,"message":"instance not found","data":null})");
            return ok(third);
        }
        // InstanceController.beat
        if (!third && path == at + "/beat" && method == "PUT") {
            if (instances.count(id) == 0 && has.count("beat") == 0) return say(200, R"({"code":20404})");
            if (instances.count(id) == 0) add(third, id, has);
            auto const& meta = instances[id]["metadata"].as_object();
            auto every = beat_interval != 0 ? std::to_string(beat_interval)
                                            : std::string(meta.at("preserved.heart.beat.interval").as_string());
            return say(200, R"({"clientBeatInterval":)" + every + R"(,"code":10200,"lightBeatEnabled":true})");
        }
        if (path == at && method == "DELETE") {
            instances.erase(id);  // "if instance not found, also return remove success"
            return ok(third);
        }
        return say(404, R"({"status":404})");
    }

private:
    static std::string say(int status, std::string const& body)
    {
        return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
    static std::string ok(bool third)
    {
        return say(200, third ? R"({"code":0,"message":"success","data":"ok"})" : "ok");
    }

    static std::map<std::string, std::string> parameters(std::string const& text)
    {
        std::map<std::string, std::string> out;
        for (std::size_t from = 0; from < text.size();) {
            auto const end = std::min(text.find('&', from), text.size());
            auto const equals = text.find('=', from);
            if (equals >= end) break;
            std::string value;
            for (auto i = equals + 1; i < end; ++i) {
                bool const coded = text[i] == '%';
                value += coded ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)) : text[i];
                if (coded) i += 2;
            }
            out[text.substr(from, equals - from)] = value;
            from = end + 1;
        }
        return out;
    }

    std::string add(bool third, std::string const& id, std::map<std::string, std::string>& has)
    {
        auto const weight = std::atof(has["weight"].c_str());
        if (weight < 0 || weight > 10000) return say(400, "weight is illegal");
        auto meta = boost::json::parse(has["metadata"].empty() ? "{}" : has["metadata"]);
        if (!has["beat"].empty()) meta = boost::json::parse(has["beat"]).as_object()["metadata"];
        instances[id] = {{"instanceId", nullptr},
                         {"ip", has["ip"]},
                         {"port", std::atoi(has["port"].c_str())},
                         {"weight", weight},
                         {"healthy", true},
                         {"enabled", has["enabled"] != "false"},
                         {"ephemeral", true},
                         {"clusterName", has["clusterName"]},
                         {"serviceName", "DEFAULT_GROUP@@web"},
                         {"metadata", std::move(meta)}};
        return ok(third);
    }

    // v3 leaves out what is not enabled, and says nothing of the protection.
    std::string list(bool third) const
    {
        boost::json::array all;
        for (auto const& [id, i] : instances)
            if (!third || i.at("enabled").as_bool()) all.emplace_back(i);
        if (third)
            return say(200, boost::json::serialize(
                                boost::json::object{{"code", 0}, {"message", "success"}, {"data", std::move(all)}}));
        return say(200, boost::json::serialize(boost::json::object{{"name", "DEFAULT_GROUP@@web"},
                                                                   {"groupName", "DEFAULT_GROUP"},
                                                                   {"cacheMillis", 10000},
                                                                   {"hosts", std::move(all)},
                                                                   {"lastRefTime", 1795385825254},
                                                                   {"reachProtectionThreshold", degraded}}));
    }
};

}  // namespace weir::testing
