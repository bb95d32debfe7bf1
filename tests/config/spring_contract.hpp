// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "registry/matrix/contract_server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstddef>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace weir::testing {

/// Spring Cloud Config's server over HTTP as its source has it (ec731ee, EnvironmentController). Written from the
/// source: not a live server, but checked by a client that is not ours (registry/referees/run).
class spring_contract {
public:
    /// By label, then by name: "shop", "shop-prod", "application", "application-prod"; flat keys with their values.
    std::map<std::string, std::map<std::string, boost::json::object>> files{{"main", {}}};
    std::string version = "6f1c0e8";
    std::string authorization;  ///< that has to be sent; empty: none

    std::string operator()(std::string const& request) const
    {
        auto const line = request.substr(0, request.find("\r\n"));
        if (!line.starts_with("GET /")) return say(405, {{"status", 405}});
        if (header_of(request, "authorization") != authorization) return say(401, {{"status", 401}});
        auto part = split(line.substr(5, line.find(" HTTP") - 5), '/');
        if (part.size() < 2 || part.size() > 3) return say(404, {{"status", 404}});
        // EnvironmentController.normalize: a slash in a name or a label is written (_).
        for (auto& p : part) {
            p = form_fields("x=" + p)["x"];
            for (std::size_t at = 0; (at = p.find("(_)", at)) != p.npos;) p.replace(at, 3, "/");
        }
        auto const label = files.find(part.size() == 3 ? part[2] : "main");
        if (label == files.end()) return say(404, {{"status", 404}, {"error", "Not Found"}});

        // The last profile and the application's own file come first: the first source that has a key wins.
        boost::json::array sources, profiles;
        auto const add = [&](std::string const& name) {
            if (auto const f = label->second.find(name); f != label->second.end())
                sources.push_back({{"name", "file:" + name + ".yml"}, {"source", f->second}});
        };
        auto const names = split(part[0], ','), wanted = split(part[1], ',');
        for (auto profile = wanted.rbegin(); profile != wanted.rend(); ++profile) {
            for (auto name = names.rbegin(); name != names.rend(); ++name) add(*name + '-' + *profile);
            add("application-" + *profile);
        }
        for (auto name = names.rbegin(); name != names.rend(); ++name) add(*name);
        add("application");
        for (auto const& p : wanted) profiles.emplace_back(p);
        boost::json::value const said = part.size() == 3 ? boost::json::value(part[2]) : nullptr;
        return say(200, {{"name", part[0]},
                         {"profiles", profiles},
                         {"label", said},
                         {"version", version},
                         {"state", nullptr},
                         {"propertySources", sources}});
    }

private:
    static std::string say(int status, boost::json::object const& body)
    {
        auto const text = boost::json::serialize(body);
        return "HTTP/1.1 " + std::to_string(status) +
               " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
               text;
    }
    static std::vector<std::string> split(std::string const& text, char at)
    {
        std::vector<std::string> out;
        std::stringstream all(text);
        for (std::string one; std::getline(all, one, at);) out.push_back(one);
        return out;
    }
};

}  // namespace weir::testing
