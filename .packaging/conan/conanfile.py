# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
"""conan create .packaging/conan -s compiler.cppstd=20 --build=missing"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)


class Weir(ConanFile):
    name = "weir"
    license = "BSL-1.0"
    description = "Service governance for C++20 calls: limiters, breakers, retries, balancers, registries"
    topics = ("rate-limiter", "circuit-breaker", "retry", "load-balancing", "asio", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True
    options = {"with_boost": [True, False]}
    default_options = {"with_boost": True}  # False: weir::core alone

    def set_version(self):
        text = load(self, os.path.join(TREE, "include", "weir", "version.hpp"))
        self.version = ".".join(re.search(rf"WEIR_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        copy(self, "include/*", TREE, self.export_sources_folder)
        copy(self, "LICENSE", TREE, self.export_sources_folder)

    def requirements(self):
        if self.options.with_boost:
            self.requires("boost/[>=1.81 <2]", transitive_headers=True)
            self.requires("openssl/[>=3 <4]", transitive_headers=True)

    def layout(self):
        basic_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.settings.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weir")
        self.cpp_info.set_property("cmake_target_name", "weir::all")  # not weir::weir, which is a component
        self.cpp_info.set_property("pkg_config_name", "weir")
        for component in ("core", "asio", "weir") if self.options.with_boost else ("core",):
            part = self.cpp_info.components[component]
            part.set_property("cmake_target_name", f"weir::{component}")
            part.bindirs, part.libdirs = [], []
        self.cpp_info.components["core"].system_libs = ["pthread"] if self.settings.os in ("Linux", "FreeBSD") else []
        if self.options.with_boost:
            self.cpp_info.components["asio"].requires = ["core", "boost::headers"]
            self.cpp_info.components["weir"].requires = ["asio", "boost::json", "openssl::openssl"]
