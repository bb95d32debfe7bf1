// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "registry/matrix/contract_server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

/// Eureka's HTTP interface as its source has it (Netflix/eureka 61acc83, eureka-core, com.netflix.eureka.resources):
/// what may be asked, what is answered, and when an instance is not known. Written from the source, and so no better
/// than its reading: not a live server, but checked by a client that is not ours (referees/run). No leases end here but
/// by `forget`, and answers are as fresh as can be.
class eureka_contract {
public:
    std::string prefix = "/eureka";
    bool starting = false;            ///< ApplicationResource.getApplication: 403 until the registry is filled
    bool lone_object = false;         ///< one instance is written without its array, as by way of XML
    std::vector<std::string> asked;   ///< first lines and authorizations
    std::vector<std::string> bodies;  ///< of registrations
    std::map<std::string, boost::json::object> instances;  ///< of WEB, by id

    void forget(std::string const& id) { instances.erase(id), overrides.erase(id); }

    std::string operator()(std::string const& request)
    {
        auto const line = request.substr(0, request.find("\r\n"));
        asked.push_back(line);
        if (auto const who = header_of(request, "authorization"); !who.empty())
            asked.back() += " | Authorization: " + who;
        auto const method = line.substr(0, line.find(' '));
        auto target = line.substr(method.size() + 1, line.find(" HTTP") - method.size() - 1);
        auto const base = prefix + "/apps/";
        if (method == "GET" && (target == base || target + '/' == base)) return list_all(request);
        if (target.rfind(base, 0) != 0) return say(404, "no such path");
        target.erase(0, base.size());
        auto const app = target.substr(0, target.find('/'));
        auto const rest = app.size() == target.size() ? std::string() : target.substr(app.size() + 1);
        if (rest.empty()) return method == "POST" ? add(app, request) : list(app, request);
        auto const id = rest.substr(0, rest.find_first_of("/?"));
        auto const found = instances.find(id);
        // InstanceResource.renewLease, .statusUpdate, .cancelLease
        if (found == instances.end()) return say(404, "");
        if (method == "DELETE") {
            forget(id);
            return say(200, "");
        }
        constexpr auto status = "/status?value=";
        if (auto const at = rest.find(status); at != rest.npos) {
            // AbstractInstanceRegistry.statusUpdate: an override is kept only where it says something new.
            auto const value = rest.substr(at + 14);
            if (found->second["status"] != boost::json::string(value)) overrides[id] = value;
            found->second["status"] = value;
        }
        return say(200, "");
    }

private:
    static std::string say(int status, std::string const& body)
    {
        return "HTTP/1.1 " + std::to_string(status) + " X\r\n" +
               (status == 204 ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
    }

    // ApplicationResource.addInstance
    std::string add(std::string const& app, std::string const& request)
    {
        bodies.push_back(request.substr(request.find("\r\n\r\n") + 4));
        auto said = boost::json::parse(bodies.back()).as_object()["instance"].as_object();
        for (auto const* const needed : {"instanceId", "hostName", "ipAddr", "app"})
            if (!said.contains(needed)) return say(400, "Missing " + std::string(needed));
        if (said["app"] != boost::json::string(app)) return say(400, "Mismatched appName");
        auto const& center = said["dataCenterInfo"].as_object();
        if (!center.contains("name") || !center.contains("@class")) return say(400, "Missing dataCenterInfo");
        std::string const id(said["instanceId"].as_string());
        // AbstractInstanceRegistry.getOverriddenInstanceStatus: DownOrStartingRule, OverrideExistsRule, LeaseExistsRule
        if (auto& now = said["status"]; now == "UP" || now == "OUT_OF_SERVICE") {
            auto const old = instances.find(id);
            if (auto const over = overrides.find(id); over != overrides.end())
                now = over->second;
            else if (old != instances.end() &&
                     (old->second["status"] == "UP" || old->second["status"] == "OUT_OF_SERVICE"))
                now = old->second["status"];
        }
        // InstanceRegistry.register: what the server adds
        said["lastUpdatedTimestamp"] = "1795385863222";
        said["actionType"] = "ADDED";
        instances[id] = std::move(said);
        return say(204, "");
    }

    // ApplicationResource.getApplication
    std::string list(std::string const& app, std::string const& request)
    {
        if (starting) return say(403, "");
        if (header_of(request, "accept") != "application/json") return say(200, "<application></application>");
        if (instances.empty()) return say(404, "");
        boost::json::array all;
        for (auto const& [id, i] : instances) all.emplace_back(i);
        boost::json::value one = all;
        if (lone_object && all.size() == 1) one = all[0];
        return say(200, boost::json::serialize(
                            boost::json::object{{"application", {{"name", app}, {"instance", std::move(one)}}}}));
    }

    // ApplicationsResource.getContainers, and Applications.getReconcileHashCode
    std::string list_all(std::string const& request)
    {
        if (starting) return say(403, "");
        if (header_of(request, "accept") != "application/json") return say(200, "<applications></applications>");
        std::map<std::string, int> count;
        boost::json::array all;
        for (auto const& [id, i] : instances) {
            ++count[std::string(i.at("status").as_string())];
            all.emplace_back(i);
        }
        std::string hash;
        for (auto const& [status, n] : count) hash += status + '_' + std::to_string(n) + '_';
        boost::json::array apps;
        if (!all.empty()) apps.push_back({{"name", "WEB"}, {"instance", std::move(all)}});
        return say(200, boost::json::serialize(boost::json::object{
                            {"applications",
                             {{"versions__delta", "1"}, {"apps__hashcode", hash}, {"application", std::move(apps)}}}}));
    }

    std::map<std::string, std::string> overrides;
};

}  // namespace weir::testing
