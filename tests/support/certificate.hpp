// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <memory>
#include <string>

namespace weir::testing {

/// A certificate, made here and now.
struct certificate {
    std::shared_ptr<EVP_PKEY> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
    std::shared_ptr<X509> x{X509_new(), X509_free};

    struct wanted {
        std::string alternative_name;  // "DNS:...", "IP:..."; empty: an authority
        int valid_from = -3600, valid_to = 3600;
        bool for_tls = true;
    };

    certificate(wanted const& w, certificate const* issuer)
    {
        static long serial = 0;
        X509_set_version(x.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x.get()), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(x.get()), w.valid_from);
        X509_gmtime_adj(X509_getm_notAfter(x.get()), w.valid_to);
        X509_set_pubkey(x.get(), key.get());
        std::string const name = w.alternative_name.empty() ? "authority " + std::to_string(serial) : "server";
        auto* const subject = X509_get_subject_name(x.get());
        auto const* const text_of_name = reinterpret_cast<unsigned char const*>(name.c_str());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text_of_name, -1, -1, 0);
        X509_set_issuer_name(x.get(), issuer ? X509_get_subject_name(issuer->x.get()) : subject);
        extend(NID_basic_constraints, w.alternative_name.empty() ? "critical,CA:TRUE" : "CA:FALSE");
        if (!w.alternative_name.empty()) {
            extend(NID_subject_alt_name, w.alternative_name);
            extend(NID_ext_key_usage, w.for_tls ? "serverAuth,clientAuth" : "emailProtection");
        }
        X509_sign(x.get(), issuer ? issuer->key.get() : key.get(), EVP_sha256());
    }

    std::string pem() const
    {
        return text([&](BIO* b) { PEM_write_bio_X509(b, x.get()); });
    }
    std::string key_pem() const
    {
        return text([&](BIO* b) { PEM_write_bio_PrivateKey(b, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }

private:
    void extend(int nid, std::string const& value)
    {
        auto* const e = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
        X509_add_ext(x.get(), e, -1);
        X509_EXTENSION_free(e);
    }
    template <class F>
    static std::string text(F write)
    {
        std::unique_ptr<BIO, int (*)(BIO*)> b(BIO_new(BIO_s_mem()), BIO_free);
        write(b.get());
        char* data = nullptr;
        auto const size = BIO_get_mem_data(b.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }
};

}  // namespace weir::testing
