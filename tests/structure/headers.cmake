# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#
# Each header that a user may include is compiled alone, so that it needs nothing which another brings: the target `headers`.
# What most of them include of Boost and the standard library would be two thirds of the work, so a kit of it may be
# precompiled and come first; but only where the header includes all of that kit itself, directly or through others of
# weir's. Nothing is thereby lent to a header that it does not bring.
set(kit_clients <chrono> <functional> <optional> <vector> <boost/asio/any_io_executor.hpp> <boost/asio/compose.hpp>
    <boost/asio/connect.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/steady_timer.hpp> <boost/asio/strand.hpp>
    <boost/beast/http/message.hpp> <boost/beast/http/read.hpp> <boost/beast/http/string_body.hpp>
    <boost/json/basic_parser_impl.hpp> <boost/json/value.hpp>)
set(kit_coroutines <chrono> <optional> <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/co_spawn.hpp>
    <boost/asio/compose.hpp> <boost/asio/steady_timer.hpp> <boost/asio/strand.hpp> <boost/asio/use_awaitable.hpp>)
set(kit_executors <chrono> <boost/asio/any_io_executor.hpp> <boost/asio/io_context.hpp> <boost/asio/steady_timer.hpp>
    <boost/asio/strand.hpp>)
set(kit_messages <boost/beast/http/message.hpp> <boost/beast/http/string_body.hpp>)
set(kit_documents <chrono> <string> <boost/json/value.hpp>)
set(kit_policies <algorithm> <atomic> <chrono> <memory> <optional> <string>)
set(kit_words <chrono> <string>)
set(kit_nothing)
set(kits clients coroutines executors messages documents policies words nothing)  # the first that fits

# What a header of weir's includes, and what that includes in turn. (What depends on the system is counted, too, but in no
# kit. Where two headers include each other, the second is told less than it includes.)
function(weir_includes header result)
    get_property(known GLOBAL PROPERTY weir_includes_${header})
    if(NOT known)
        file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} lines REGEX "^#include <")
        string(REGEX REPLACE "#include (<[^>]*>)[^;]*" "\\1" known "${lines}")
        set_property(GLOBAL PROPERTY weir_includes_${header} "${known}")
        foreach(inner IN LISTS known)
            if(inner MATCHES "^<(weir/.*)>$")
                weir_includes(${CMAKE_MATCH_1} more)
                list(APPEND known ${more})
            endif()
        endforeach()
        list(REMOVE_DUPLICATES known)
        set_property(GLOBAL PROPERTY weir_includes_${header} "${known}")
    endif()
    set(${result} "${known}" PARENT_SCOPE)
endfunction()

set(files)
set(least weir::weir)
foreach(library IN ITEMS core asio weir redis)
    if(library STREQUAL redis)
        if(NOT WEIR_HIREDIS)
            continue()
        endif()
        set(least weir::redis)
    endif()
    get_target_property(more weir_${library} HEADER_SET)
    list(APPEND files ${more})
endforeach()
foreach(file IN LISTS files)
    string(REGEX REPLACE ".*include/(weir/.*)" "\\1" header ${file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/${header})
    weir_includes(${header} included)
    foreach(kit IN LISTS kits)
        set(missing ${kit_${kit}})
        list(REMOVE_ITEM missing ${included})
        if(NOT missing)
            set(first ${kit})
            break()
        endif()
    endforeach()
    string(REGEX REPLACE "[/.]" "_" name ${header})
    file(CONFIGURE OUTPUT headers/${name}.cpp CONTENT "#include <${header}>\n")
    list(APPEND sources_${first} ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
endforeach()

add_custom_target(headers)
foreach(kit IN LISTS kits)
    if(NOT sources_${kit})
        continue()
    endif()
    add_library(headers_${kit} OBJECT EXCLUDE_FROM_ALL ${sources_${kit}})
    target_link_libraries(headers_${kit} PRIVATE ${least})
    target_precompile_headers(headers_${kit} PRIVATE ${kit_${kit}})
    add_dependencies(headers headers_${kit})
endforeach()
