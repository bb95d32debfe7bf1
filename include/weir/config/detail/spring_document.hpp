// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/http_poll.hpp>
#include <weir/config/detail/tree.hpp>
#include <weir/config/file.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/http/message.hpp>
#include <weir/registry/detail/consul_document.hpp>
#include <weir/registry/detail/http_session.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>
#include <weir/registry/secret.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config::detail {

/// A name for a path of the server: '/' is written "(_)" (EnvironmentController::getEnvironment), commas stay.
[[nodiscard]] inline std::string spring_name(std::string_view name)
{
    std::string out;
    for (char const c : name) out += c == '/' ? "(_)" : c == ',' ? "," : registry::detail::percent_encoded({&c, 1});
    return out;
}

/// The answer to GET /{application}/{profiles}: its property sources as one document. errc::bad_document, with the
/// reason in the note, when it is not one, or the keys do not fit into one.
[[nodiscard]] inline boost::system::error_code read_spring(std::string_view body, loaded& out)
{
    namespace wire = registry::detail;
    auto const read = wire::parse_strict(body, out.note);
    if (!read) return make_error_code(errc::bad_document);
    try {
        auto const& answer = wire::as_object(*read, "the answer");
        auto const& sources = wire::array_in(answer, "propertySources");
        tree all('.');
        std::set<std::string, std::less<>> known, lists;
        for (auto const& element : sources) {
            std::set<std::string, std::less<>> own;  // the lists that this source has
            for (auto const& [name, value] : wire::object_in(wire::as_object(element, "a source"), "source")) {
                std::string const key(name);
                auto const list = key.substr(0, key.find('['));
                if (list != key && lists.contains(list)) continue;
                if (list != key) own.insert(list);
                if (!known.insert(key).second) continue;  // an earlier source has it
                if (value.is_object() || value.is_array()) {
                    if (value.is_array() ? !value.get_array().empty() : !value.get_object().empty()) {
                        out.note = "the value of " + in_quotes(key) + " is not a plain one";
                        return make_error_code(errc::bad_document);
                    }
                }
                if (!all.add(key, value, out.note)) return make_error_code(errc::bad_document);
            }
            lists.merge(own);
        }
        out.missing = sources.empty();
        if (out.missing) out.note = "the server has no property sources for these names";
        out.document.bytes = json::serialize(all.whole());
        auto const version = wire::text_in(answer, "version");
        out.document.version = (version.empty() ? "" : version.substr(0, 64) + '/') + text_hash(out.document.bytes);
        return {};
    } catch (wire::bad_field const& e) {
        out.note = e.what();
        return make_error_code(errc::bad_document);
    }
}

class spring_dialect final : public http_dialect {
public:
    /// `basic`: the value of Authorization; empty: nobody signs in.
    spring_dialect(std::string target, registry::secret basic) : target_(std::move(target)), basic_(std::move(basic)) {}

    [[nodiscard]] http::request question() const override
    {
        auto r = http::get(target_);
        r.set("Accept", "application/json");
        if (!basic_.empty()) r.set("Authorization", basic_.reveal());
        return r;
    }

    boost::system::error_code read(http::response const& answer, loaded& out) const override
    {
        if (answer.result() == http::status::ok) return read_spring(answer.body(), out);
        auto quoted = answer;  // may repeat what was asked
        std::string_view const all = basic_.reveal();
        registry::detail::hide(quoted.body(), all.substr(all.rfind(' ') + 1));
        auto const ec = refused(quoted, out);
        out.missing = answer.result() == http::status::not_found;
        return out.missing ? boost::system::error_code() : ec;
    }

private:
    std::string target_;
    registry::secret basic_;
};

}  // namespace weir::config::detail
