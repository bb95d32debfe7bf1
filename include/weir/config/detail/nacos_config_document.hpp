// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/http_poll.hpp>
#include <weir/config/file.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/consul_document.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config::detail {

/// Which of Nacos' two HTTP interfaces. The first is gone from 3.2 on, the third is there from 3.0 on.
enum class nacos_api : std::uint8_t { v1, v3 };

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

/// Speaks v3, and v1 with a server that does not know it.
class nacos_dialect final : public http_dialect {
public:
    nacos_dialect(nacos_key key, std::optional<nacos_api> api, duration hold)
        : key_(std::move(key)), api_(api), hold_(std::chrono::duration_cast<std::chrono::milliseconds>(hold).count())
    {
    }

    [[nodiscard]] http::request question() override
    {
        using registry::detail::percent_encoded;
        if (now() == nacos_api::v3)
            return http::get("/nacos/v3/client/cs/config?namespaceId=" +
                             percent_encoded(key_.tenant.empty() ? "public" : key_.tenant) +
                             "&groupName=" + percent_encoded(key_.group) + "&dataId=" + percent_encoded(key_.data_id));
        return http::get("/nacos/v1/cs/configs?dataId=" + percent_encoded(key_.data_id) +
                         "&group=" + percent_encoded(key_.group) + "&tenant=" + percent_encoded(key_.tenant));
    }

    [[nodiscard]] bool ask_otherwise(http::response const& answer) override
    {
        if (api_) return false;
        loaded ignored;
        // 404 of the framework and not of the interface, or 410, "gone, use another".
        bool const knows =
            answer.result_int() != 410 && (answer.result_int() != 404 || read_nacos_v3(answer.body(), ignored));
        if (knows && answer.result_int() >= 500) return false;  // nothing learnt
        api_ = knows ? nacos_api::v3 : nacos_api::v1;
        return !knows;
    }

    boost::system::error_code read(http::response const& answer, loaded& out) override
    {
        if (now() == nacos_api::v3) {
            if (auto const ec = read_nacos_v3(answer.body(), out)) {
                if (out.missing && out.note.empty()) out.note = absent();
                return *ec;
            }
        } else if (answer.result() == http::status::ok) {
            out.document.bytes = answer.body();
            out.document.version = header(answer, "Content-MD5");
            out.document.format = nacos_format(header(answer, "Config-Type"));
            return {};
        } else if (answer.result() == http::status::not_found) {
            out.missing = true;
            out.note = absent();
            return {};
        }
        return refused(answer, out);
    }

    // Answered at once when the sum is another, and after the time that the header says with nothing. An absent
    // configuration has an empty sum. (LongPollingService::addLongPollingClient)
    [[nodiscard]] bool waiting_question(std::string const& version, http::request& out) override
    {
        if (now() != nacos_api::v1) return false;
        std::string what = key_.data_id + '\x02' + key_.group + '\x02' + version;
        if (!key_.tenant.empty()) what += '\x02' + key_.tenant;
        out = http::post("/nacos/v1/cs/configs/listener",
                         "Listening-Configs=" + registry::detail::percent_encoded(what + '\x01'),
                         "application/x-www-form-urlencoded");
        out.set("Long-Pulling-Timeout", std::to_string(hold_));
        return true;
    }

private:
    [[nodiscard]] nacos_api now() const noexcept { return api_.value_or(nacos_api::v3); }

    [[nodiscard]] std::string absent() const
    {
        return "there is no configuration " + key_.data_id + " in the group " + key_.group;
    }

    [[nodiscard]] static std::string header(http::response const& a, char const* name)
    {
        auto const found = a.find(name);
        return found == a.end() ? std::string() : std::string(found->value().data(), found->value().size());
    }

    nacos_key const key_;
    std::optional<nacos_api> api_;
    std::int64_t const hold_;
};

}  // namespace weir::config::detail
