// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <weir/config/detail/tree.hpp>
#include <weir/config/source.hpp>
#include <weir/core/errc.hpp>
#include <weir/registry/detail/base64.hpp>
#include <weir/registry/detail/json_fields.hpp>
#include <weir/registry/detail/strict_json.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::config::detail {

/// The answer to GET /v1/kv/<key>, or with ?recurse for a key that ends in a slash: then all keys below it make one
/// document, a name for each part of a path. errc::bad_document, with the reason in the note, when it is not what
/// Consul's protocol says, or the keys do not fit into one document.
[[nodiscard]] inline boost::system::error_code read_consul_kv(std::string_view body, std::string_view key, loaded& out)
{
    namespace wire = registry::detail;
    auto const refuse = [&](std::string why) {
        out.note = std::move(why);
        return make_error_code(errc::bad_document);
    };
    auto const whole = wire::parse_strict(body, out.note);
    if (!whole) return make_error_code(errc::bad_document);
    try {
        if (!whole->is_array() || whole->get_array().empty()) return refuse("the answer is not a list of keys");
        bool const folder = key.ends_with('/');
        tree all('/');
        for (auto const& element : whole->get_array()) {
            auto const& entry = wire::as_object(element, "an entry");
            auto const name = wire::text_in(entry, "Key");
            auto const text = wire::from_base64(wire::text_in(entry, "Value"));  // null: empty
            if (!text) return refuse("the value of " + in_quotes(name) + " is not base64");
            if (!folder) {
                if (name != key || whole->get_array().size() != 1)
                    return refuse("the answer is about " + in_quotes(name) + ", and was asked for " + in_quotes(key));
                out.document.bytes = *text;
                return {};
            }
            if (!name.starts_with(key)) return refuse("the answer is about " + in_quotes(name));
            auto const below = std::string_view(name).substr(key.size());
            if (below.empty() || below.ends_with('/')) continue;  // a folder, as Consul's page makes them
            if (!all.add_text(below, *text, out.note)) return make_error_code(errc::bad_document);
        }
        out.document.bytes = json::serialize(all.whole());
        return {};
    } catch (wire::bad_field const& e) {
        return refuse(e.what());
    }
}

}  // namespace weir::config::detail
