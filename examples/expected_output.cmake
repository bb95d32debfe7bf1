# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#
# cmake -D program=<executable> -D source=<file> -P expected_output.cmake
# Runs the program. Its output must be, line by line, the block below "// Expected output:" in its source.
file(READ ${source} text)
string(FIND "${text}" "// Expected output:\n" at)
if(at EQUAL -1)
    message(FATAL_ERROR "${source} has no line \"// Expected output:\"")
endif()
string(SUBSTRING "${text}" ${at} -1 text)
string(REGEX MATCH "^// Expected output:\n((//[^\n]*\n)+)" block "${text}")
string(REGEX REPLACE "//( ( ( )?)?)?([^\n]*\n)" "\\4" expected "${CMAKE_MATCH_1}")
if(expected STREQUAL "")
    message(FATAL_ERROR "${source}: nothing is expected below \"// Expected output:\"")
endif()

execute_process(COMMAND ${program} OUTPUT_VARIABLE got ERROR_VARIABLE errors RESULT_VARIABLE status TIMEOUT 50)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${program} ended with ${status}\n${got}${errors}")
endif()
if(NOT got STREQUAL expected)
    message(FATAL_ERROR "The output is not the expected one.\n--- expected\n${expected}--- got\n${got}---\n${errors}")
endif()
