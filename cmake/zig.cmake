# zig.cmake: a CMake toolchain that compiles by `zig cc` for any of scripts/natives.sh's machines, whatever this one is:
#   cmake --toolchain cmake/zig.cmake -DNGFF_ZIG_TARGET=aarch64-macos [-DNGFF_ZIG=/path/of/zig] ...
# zig is a package of PyPI (ziglang). CMake wants one name for each of its other tools.
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
foreach(tool IN ITEMS ar ranlib rc)
  file(WRITE ${CMAKE_BINARY_DIR}/zig-${tool} "#!/bin/sh\nexec '${NGFF_ZIG}' ${tool} \"$@\"\n")
  file(CHMOD ${CMAKE_BINARY_DIR}/zig-${tool} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endforeach()
set(CMAKE_AR ${CMAKE_BINARY_DIR}/zig-ar)
set(CMAKE_RANLIB ${CMAKE_BINARY_DIR}/zig-ranlib)
set(CMAKE_RC_COMPILER ${CMAKE_BINARY_DIR}/zig-rc)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY) # nothing of this machine's is linked
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(CMAKE_SYSTEM_NAME STREQUAL Darwin) # a library is found beside its host, not where it was built
  set(CMAKE_BUILD_WITH_INSTALL_NAME_DIR ON)
  set(CMAKE_INSTALL_NAME_DIR @rpath)
endif()
