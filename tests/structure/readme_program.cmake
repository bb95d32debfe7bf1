# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
#
# cmake -D program=<executable> -D expected=<text> -P readme_program.cmake
execute_process(COMMAND ${program} OUTPUT_VARIABLE got ERROR_VARIABLE errors RESULT_VARIABLE status TIMEOUT 50)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${program} ended with ${status}\n${got}${errors}")
endif()
if(NOT got STREQUAL expected)
    message(FATAL_ERROR "The README promises another output.\n--- promised\n${expected}--- got\n${got}")
endif()
