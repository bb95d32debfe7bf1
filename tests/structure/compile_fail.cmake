# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#
# cmake -D "compiler=<command;line>" -D source=<file> -P compile_fail.cmake
# The file must not compile, and the compiler must say every text that a line "// expect: <text>" names. Compiled with
# -D WEIR_CORRECT the same file must pass, so that it fails for the one reason it is about and no other.
file(STRINGS ${source} expectations REGEX "^// expect: ")
if(NOT expectations)
    message(FATAL_ERROR "${source} has no line \"// expect: <text>\"")
endif()

execute_process(COMMAND ${compiler} -fsyntax-only ${source} RESULT_VARIABLE status ERROR_VARIABLE said OUTPUT_VARIABLE said)
if(status EQUAL 0)
    message(FATAL_ERROR "${source} compiles, and must not")
endif()
foreach(line IN LISTS expectations)
    string(REGEX REPLACE "^// expect: " "" text "${line}")
    string(FIND "${said}" "${text}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "${source}: the compiler does not say \"${text}\" but\n${said}")
    endif()
endforeach()

file(STRINGS ${source} control REGEX "WEIR_CORRECT")
if(NOT control)
    message(FATAL_ERROR "${source} has no correct form under #ifdef WEIR_CORRECT")
endif()
execute_process(COMMAND ${compiler} -fsyntax-only -D WEIR_CORRECT ${source} RESULT_VARIABLE status ERROR_VARIABLE said)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${source}: the correct form does not compile either\n${said}")
endif()
