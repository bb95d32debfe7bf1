# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#
# The tests that build tests/consumer as a stranger would, against this tree and against an installation of it.
set(prefix ${PROJECT_BINARY_DIR}/consumer/prefix)
add_test(NAME consumer/install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
set_tests_properties(consumer/install PROPERTIES FIXTURES_SETUP installed)

function(weir_consumer name)  # weir_consumer(name from options...)
    add_test(NAME consumer/${name} COMMAND ${CMAKE_CTEST_COMMAND}
        --build-and-test ${PROJECT_SOURCE_DIR}/tests/consumer ${PROJECT_BINARY_DIR}/consumer/${name}
        --build-generator ${CMAKE_GENERATOR}
        --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DWEIR_SOURCE_DIR=${PROJECT_SOURCE_DIR}
            -DCMAKE_PREFIX_PATH=${prefix} ${ARGN}
        --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure --no-tests=error)
    set_tests_properties(consumer/${name} PROPERTIES FIXTURES_REQUIRED installed TIMEOUT 300)
endfunction()

set(without_boost -DWEIR_COMPONENTS=core -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)
weir_consumer(find_package -DWEIR_FROM=find_package)
weir_consumer(add_subdirectory -DWEIR_FROM=add_subdirectory)
weir_consumer(FetchContent -DWEIR_FROM=FetchContent)
weir_consumer(find_package_core_without_boost -DWEIR_FROM=find_package ${without_boost})
weir_consumer(add_subdirectory_core_without_boost -DWEIR_FROM=add_subdirectory ${without_boost})
weir_consumer(find_package_absent_but_optional -DWEIR_FROM=find_package ${without_boost} "-DWEIR_ABSENT=grpc\;asio\;weir")

# What a user is told who asks for more than there is.
weir_consumer(find_package_unknown_component -DWEIR_FROM=find_package -DWEIR_COMPONENTS=grpc)
set_tests_properties(consumer/find_package_unknown_component PROPERTIES
    PASS_REGULAR_EXPRESSION "weir has no component 'grpc'; it has core, asio, weir and redis")
weir_consumer(find_package_asio_without_boost -DWEIR_FROM=find_package -DWEIR_COMPONENTS=asio
    -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON)
set_tests_properties(consumer/find_package_asio_without_boost PROPERTIES PASS_REGULAR_EXPRESSION "for module Boost called with REQUIRED")

find_program(pkg_config pkg-config)
if(pkg_config)
    add_test(NAME consumer/pkg_config COMMAND sh -e -c
        "flags=$(PKG_CONFIG_PATH=${prefix}/share/pkgconfig ${pkg_config} --cflags --libs 'weir >= ${PROJECT_VERSION}')
         case $flags in *-std=*) echo \"the language is the user's to choose: $flags\"; exit 1 ;; esac
         ${CMAKE_CXX_COMPILER} -std=c++20 ${PROJECT_SOURCE_DIR}/tests/consumer/use_core.cpp $flags -o use_core_pkg_config
         ./use_core_pkg_config")
    set_tests_properties(consumer/pkg_config PROPERTIES FIXTURES_REQUIRED installed)
endif()
