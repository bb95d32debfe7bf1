// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <weir/registry/secret.hpp>

#include <doctest/doctest.h>

#include <ostream>
#include <string>
#include <utility>

using weir::registry::secret;

namespace {

template <class T>
concept printable = requires(std::ostream& out, T const& t) { out << t; };
template <class T>
concept comparable = requires(T const& t) { t == t; };

}  // namespace

static_assert(printable<std::string> && !printable<secret>);
static_assert(comparable<std::string> && !comparable<secret>);
static_assert(!std::is_convertible_v<std::string, secret> && !std::is_convertible_v<secret, std::string>);

TEST_CASE("secret: it can be kept, copied, moved and revealed")
{
    secret a(std::string(100, 'x'));
    CHECK(a.reveal() == std::string(100, 'x'));
    auto b = a;
    CHECK(b.reveal() == a.reveal());
    auto const c = std::move(b);
    CHECK(c.reveal().size() == 100);
    CHECK(b.empty());  // NOLINT: that nothing stays behind is the point
    a = secret("short");
    CHECK(a.reveal() == "short");
    CHECK(secret().empty());
}

TEST_CASE("secret: what is moved from or assigned over leaves nothing behind in its memory")
{
    secret a("a-token-of-15ch");  // in the string itself, where the bytes can be looked at afterwards
    auto const* const bytes = a.reveal().data();
    secret const b(std::move(a));
    CHECK(b.reveal() == "a-token-of-15ch");
    CHECK(std::string(bytes, 15) == std::string(15, '\0'));
}
