// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/http_poll.hpp>
#include <weir/config/file.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/core/time.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/percent_encoded.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/nacos_options.hpp>

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace weir::config::detail {

using registry::nacos_api;

/// What names one configuration. The namespace "public" is no tenant.
struct nacos_key {
    std::string data_id, group, tenant;
};

[[nodiscard]] inline format nacos_format(std::string_view type)
{
    return type == "yaml" || type == "yml" ? format::yaml : format::json;
}

/// The envelope of v3: {"code":0,"message":"success","data":{"content":...,"md5":...,"contentType":...}}. Nothing: this
/// is none, which is what a server without v3 says.
[[nodiscard]] inline std::optional<boost::system::error_code> read_nacos_v3(std::string_view body, loaded& out)
{
    namespace wire = registry::detail;
    auto const read = wire::parse_strict(body, out.note);
    if (!read || !read->is_object() || !read->get_object().contains("code")) return std::nullopt;
    try {
        auto const& answer = read->get_object();
        auto const code = wire::number_in(answer, "code");
        if (code == 20004) {  // ErrorCode.RESOURCE_NOT_FOUND
            out.missing = true;
            out.note = wire::text_in(answer, "message").substr(0, 200);
            return boost::system::error_code();
        }
        if (code != 0) {
            out.note = std::to_string(code) + ": " + wire::text_in(answer, "message").substr(0, 200);
            return make_error_code(errc::registry_refused);
        }
        auto const& data = wire::object_in(answer, "data");
        out.document.bytes = wire::text_in(data, "content");
        out.document.version = wire::text_in(data, "md5");
        out.document.format = nacos_format(wire::text_in(data, "contentType"));
        if (out.document.version.empty()) out.document.version = text_hash(out.document.bytes);
        return boost::system::error_code();
    } catch (wire::bad_field const& e) {
        out.note = e.what();
        return make_error_code(errc::bad_document);
    }
}

/// The question for a configuration.
[[nodiscard]] inline http::request nacos_config_question(nacos_api api, nacos_key const& key)
{
    using registry::detail::percent_encoded;
    if (api == nacos_api::v3)
        return http::get(
            "/v3/client/cs/config?namespaceId=" + percent_encoded(key.tenant.empty() ? "public" : key.tenant) +
            "&groupName=" + percent_encoded(key.group) + "&dataId=" + percent_encoded(key.data_id));
    return http::get("/v1/cs/configs?dataId=" + percent_encoded(key.data_id) + "&group=" + percent_encoded(key.group) +
                     "&tenant=" + percent_encoded(key.tenant));
}

/// v1's question that is held: answered at once when the sum is another than `version`, and after the time that the
/// header says with nothing. An absent configuration has an empty sum. (LongPollingService::addLongPollingClient)
[[nodiscard]] inline http::request nacos_config_listening(nacos_key const& key, std::string const& version,
                                                          duration hold)
{
    std::string what = key.data_id + '\x02' + key.group + '\x02' + version;
    if (!key.tenant.empty()) what += '\x02' + key.tenant;
    auto r =
        http::post("/v1/cs/configs/listener", "Listening-Configs=" + registry::detail::percent_encoded(what + '\x01'),
                   "application/x-www-form-urlencoded");
    r.set("Long-Pulling-Timeout", std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(hold).count()));
    return r;
}

[[nodiscard]] inline std::string nacos_header(http::response const& a, char const* name)
{
    auto const found = a.find(name);
    return found == a.end() ? std::string() : std::string(found->value().data(), found->value().size());
}

/// The answer to nacos_config_question: the document, that there is none, or an error with its reason in the note.
[[nodiscard]] inline boost::system::error_code read_nacos_config(nacos_api api, http::response const& answer,
                                                                 nacos_key const& key, loaded& out)
{
    auto const absent = "there is no configuration " + key.data_id + " in the group " + key.group;
    if (api == nacos_api::v3) {
        if (auto const ec = read_nacos_v3(answer.body(), out)) {
            if (out.missing && out.note.empty()) out.note = absent;
            return *ec;
        }
    } else if (answer.result() == http::status::ok) {
        out.document.bytes = answer.body();
        out.document.version = nacos_header(answer, "Content-MD5");
        out.document.format = nacos_format(nacos_header(answer, "Config-Type"));
        return {};
    } else if (answer.result() == http::status::not_found) {
        out.missing = true;
        out.note = absent;
        return {};
    }
    return refused(answer, out);
}

}  // namespace weir::config::detail
