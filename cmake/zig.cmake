# zig.cmake: a CMake toolchain that compiles by `zig cc` for any of scripts/natives.sh's machines, whatever this one is:
#   cmake --toolchain cmake/zig.cmake -DNGFF_ZIG_TARGET=aarch64-macos [-DNGFF_ZIG=/path/of/zig] ...
# zig is a package of PyPI (ziglang). Archives are made by `zig ar`, which CMake cannot be told as one name.
set(NGFF_ZIG_TARGET "" CACHE STRING "The machine as zig names it: x86_64-linux-gnu.2.17, aarch64-windows-gnu, aarch64-macos ...")
find_program(NGFF_ZIG zig REQUIRED)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NGFF_ZIG_TARGET NGFF_ZIG)
if(NOT NGFF_ZIG_TARGET MATCHES "^([a-z0-9_]+)-(linux|windows|macos)")
  message(FATAL_ERROR "NGFF_ZIG_TARGET is \"${NGFF_ZIG_TARGET}\": give a machine such as x86_64-linux-gnu.2.17 or aarch64-macos")
endif()
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
string(REPLACE "linux" "Linux" CMAKE_SYSTEM_NAME ${CMAKE_MATCH_2})
string(REPLACE "windows" "Windows" CMAKE_SYSTEM_NAME ${CMAKE_SYSTEM_NAME})
string(REPLACE "macos" "Darwin" CMAKE_SYSTEM_NAME ${CMAKE_SYSTEM_NAME})

set(CMAKE_C_COMPILER ${NGFF_ZIG} cc -target ${NGFF_ZIG_TARGET})
set(CMAKE_AR ${NGFF_ZIG})
set(CMAKE_RANLIB ${NGFF_ZIG})
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_APPEND "<CMAKE_AR> ar q <TARGET> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> ranlib <TARGET>")
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY) # nothing of this machine's is linked
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
