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
/// not known. Written from the source, and so no better than its reading: not a live server; v1 is checked by the
/// client that Nacos' own people wrote (referees/run). No instance ends here but by being taken out.
class nacos_contract {
public:
    bool v1 = true, v3 = true;   ///< which interfaces there are: 2.x has v1, 3.0 and 3.1 both, 3.2 only v3
    bool gone = false;           ///< v1 is there, but switched off: 410
    std::string user, password;  ///< that have to sign in; empty: nobody has to
    std::string token = "t1";    ///< what signing in gives; other tokens are answered by 403
    int token_ttl = 18000;
    int beat_interval = 0;  ///< 0: as the instance has it
    bool degraded = false;
    bool refuse_removals = false;
    std::vector<std::string> asked;                        ///< first lines
    std::vector<std::map<std::string, std::string>> told;  ///< parameters of each
    std::map<std::string, boost::json::object> instances;  ///< of web, by ip:port

    std::string operator()(std::string const& request)
    {
        auto const line = request.substr(0, request.find("\r\n"));
        auto const method = line.substr(0, line.find(' '));
        auto const target = line.substr(method.size() + 1, line.find(" HTTP") - method.size() - 1);
        auto const path = target.substr(0, target.find('?'));
        auto has = form_fields(target.size() == path.size() ? "" : target.substr(path.size() + 1));
        has.merge(form_fields(request.substr(request.find("\r\n\r\n") + 4)));
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
        if (path == "/nacos/v1/ns/operator/metrics") return say(200, R"({"status":"UP"})");
        auto const service = third ? "web" : "DEFAULT_GROUP@@web";
        auto const at = std::string(third ? "/nacos/v3/client/ns/instance" : "/nacos/v1/ns/instance");
        if (!third) {  // WebUtils.optional: what these are where nothing is said, or something in a beat
            has.emplace("namespaceId", "public");
            has.emplace("groupName", "DEFAULT_GROUP");
            has.emplace("enabled", has.count("enable") != 0 ? has["enable"] : "true");
            if (auto const said = has.find("beat"); said != has.end()) {
                auto const beat = boost::json::parse(said->second).as_object();
                has["ip"] = beat.at("ip").as_string();
                has["port"] = boost::json::serialize(beat.at("port"));
            }
        }
        if (has["serviceName"] != service || has["namespaceId"] != "public" || has["groupName"] != "DEFAULT_GROUP")
            return say(400, "caused: Param 'serviceName' is required.");
        auto const id = has["ip"] + ":" + has["port"];
        if (path == at + "/list" && method == "GET") return list(third, has["clusters"]);
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
            auto const* const own = meta.if_contains("preserved.heart.beat.interval");
            auto const every = beat_interval != 0 ? std::to_string(beat_interval)
                               : own              ? std::string(own->as_string())
                                                  : "5000";
            return say(200, R"({"clientBeatInterval":)" + every + R"(,"code":10200,"lightBeatEnabled":true})");
        }
        if (path == at && method == "DELETE") {
            if (refuse_removals) return say(503, "busy");
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

    std::string add(bool third, std::string const& id, std::map<std::string, std::string>& has)
    {
        auto weight = std::atof(has["weight"].c_str());
        if (weight < 0 || weight > 10000) return say(400, "weight is illegal");
        auto meta = boost::json::parse(has["metadata"].empty() ? "{}" : has["metadata"]);
        if (auto const said = has.find("beat"); said != has.end()) {
            auto const beat = boost::json::parse(said->second).as_object();
            meta = beat.at("metadata");
            weight = beat.contains("weight") ? beat.at("weight").to_number<double>() : 1;
            has["clusterName"] = beat.contains("cluster") ? beat.at("cluster").as_string() : "DEFAULT";
        }
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
    std::string list(bool third, std::string const& clusters) const
    {
        boost::json::array all;
        for (auto const& [id, i] : instances) {
            std::string const cluster(i.at("clusterName").as_string());
            bool const asked_for =
                clusters.empty() || (',' + clusters + ',').find(',' + cluster + ',') != clusters.npos;
            if (asked_for && (!third || i.at("enabled").as_bool())) all.emplace_back(i);
        }
        if (third)
            return say(200, boost::json::serialize(
                                boost::json::object{{"code", 0}, {"message", "success"}, {"data", std::move(all)}}));
        return say(200, boost::json::serialize(boost::json::object{{"name", "DEFAULT_GROUP@@web"},
                                                                   {"groupName", "DEFAULT_GROUP"},
                                                                   {"clusters", clusters},
                                                                   {"cacheMillis", 10000},
                                                                   {"hosts", std::move(all)},
                                                                   {"lastRefTime", 1795385825254},
                                                                   {"allIPs", false},
                                                                   {"valid", true},
                                                                   {"reachProtectionThreshold", degraded}}));
    }
};

}  // namespace weir::testing
