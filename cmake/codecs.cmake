# The codecs and the JSON parser as codec::blosc, codec::zstd, codec::lz4, codec::deflate and codec::json: the system's
# libraries or, with NGFF_BUNDLED_CODECS, the releases below, compiled here, static and hidden, so that libngff needs
# nothing but libc, libm and threads. FetchContent brings them; FETCHCONTENT_SOURCE_DIR_<NAME> names a folder that has one
# already (scripts/codec_sources.sh makes such folders for all). docs/natives.md says where the digests were seen.
option(NGFF_BUNDLED_CODECS "Compile pinned releases of blosc, zstd, lz4, libdeflate, zlib and cJSON into the library" OFF)

if(NOT NGFF_BUNDLED_CODECS)
  find_package(PkgConfig REQUIRED)
  foreach(codec IN ITEMS blosc:blosc zstd:libzstd lz4:liblz4 deflate:libdeflate json:libcjson)
    string(REPLACE ":" ";" codec ${codec})
    list(POP_FRONT codec name)
    string(TOUPPER ${name} prefix)
    pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET ${codec})
    add_library(codec::${name} ALIAS PkgConfig::${prefix})
  endforeach()
  return()
endif()

include(FetchContent)
if(POLICY CMP0135)
  cmake_policy(SET CMP0135 NEW) # what is unpacked is as old as the unpacking, so that a new release is compiled
endif()

# release(<name> <address> <SHA-256>): its folder in ${<name>_SOURCE_DIR}
macro(release name address digest)
  FetchContent_Declare(${name} URL ${address} URL_HASH SHA256=${digest} SOURCE_SUBDIR none) # nothing there: no build of its own
  FetchContent_MakeAvailable(${name})
endmacro()
release(zstd https://github.com/facebook/zstd/releases/download/v1.5.7/zstd-1.5.7.tar.gz
        eb33e51f49a15e023950cd7825ca74a4a2b43db8354825ac24fc1b7ee09e6fa3)
release(lz4 https://github.com/lz4/lz4/releases/download/v1.10.0/lz4-1.10.0.tar.gz
        537512904744b35e232912055ccf8ec66d768639ff3abe5788d90d792ec5f48b)
release(zlib https://github.com/madler/zlib/releases/download/v1.3.2/zlib-1.3.2.tar.gz
        bb329a0a2cd0274d05519d61c667c062e06990d72e125ee2dfa8de64f0119d16)
release(blosc https://github.com/Blosc/c-blosc/archive/v1.21.6.tar.gz
        9fcd60301aae28f97f1301b735f966cc19e7c49b6b4321b839b4579a0c156f38)
release(libdeflate https://github.com/ebiggers/libdeflate/archive/v1.25.tar.gz
        d11473c1ad4c57d874695e8026865e38b47116bbcb872bfc622ec8f37a86017d)
release(cjson https://github.com/DaveGamble/cJSON/archive/v1.7.19.tar.gz
        7fa616e3046edfa7a28a32d5f9eacfd23f92900fe1f8ccd988c1662f30454562)

# bundled(<name> FOLDER <path> SOURCES <globs in it> [INCLUDES <path>] [DEFINES ...] [LINKS ...])
function(bundled name)
  cmake_parse_arguments(ARG "" "FOLDER;INCLUDES" "SOURCES;DEFINES;LINKS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${ARG_FOLDER}/)
  file(GLOB sources ${ARG_SOURCES})
  if(NOT sources)
    message(FATAL_ERROR "${ARG_FOLDER} has no sources of ${name}")
  endif()
  add_library(codec_${name} STATIC ${sources})
  add_library(codec::${name} ALIAS codec_${name})
  if(NOT ARG_INCLUDES)
    set(ARG_INCLUDES ${ARG_FOLDER})
  endif()
  target_include_directories(codec_${name} SYSTEM INTERFACE ${ARG_INCLUDES})
  target_include_directories(codec_${name} PRIVATE ${ARG_FOLDER})
  target_compile_definitions(codec_${name} PRIVATE ${ARG_DEFINES})
  # Others' code: our -Werror is not its rule. What it means to export becomes hidden: it is ours to keep here.
  target_compile_options(codec_${name} PRIVATE -w "-Dvisibility(of)=__visibility__(\"hidden\")")
  target_link_libraries(codec_${name} PRIVATE ${ARG_LINKS})
endfunction()

bundled(zstd FOLDER ${zstd_SOURCE_DIR}/lib SOURCES common/*.c compress/*.c decompress/*.c
        DEFINES XXH_NAMESPACE=ZSTD_ ZSTD_TRACE=0 ZSTD_DISABLE_ASM) # no assembler: C is the only language
bundled(lz4 FOLDER ${lz4_SOURCE_DIR}/lib SOURCES lz4.c lz4hc.c)
bundled(zlib FOLDER ${zlib_SOURCE_DIR} SOURCES adler32.c compress.c crc32.c deflate.c inffast.c inflate.c inftrees.c trees.c uncompr.c
        zutil.c)
bundled(deflate FOLDER ${libdeflate_SOURCE_DIR} SOURCES lib/*.c lib/*/cpu_features.c
        # clang 18 to 20 want evex512 beside avx512bw in its functions for AVX-512
        DEFINES $<$<C_COMPILER_ID:Clang>:LIBDEFLATE_ASSEMBLER_DOES_NOT_SUPPORT_AVX512VNNI>
                $<$<C_COMPILER_ID:Clang>:LIBDEFLATE_ASSEMBLER_DOES_NOT_SUPPORT_VPCLMULQDQ>)

file(COPY ${cjson_SOURCE_DIR}/cJSON.h DESTINATION ${PROJECT_BINARY_DIR}/codecs/cjson) # where installed packages have it
bundled(json FOLDER ${cjson_SOURCE_DIR} SOURCES cJSON.c INCLUDES ${PROJECT_BINARY_DIR}/codecs
        DEFINES ENABLE_LOCALES CJSON_HIDE_SYMBOLS)

set(blosc_files blosc.c blosclz.c fastcopy.c shuffle.c shuffle-generic.c bitshuffle-generic.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND blosc_files shuffle-sse2.c bitshuffle-sse2.c shuffle-avx2.c bitshuffle-avx2.c)
endif()
set(blosc_defines HAVE_LZ4 HAVE_ZLIB HAVE_ZSTD)
if(WIN32) # it brings its own few functions of pthreads, under the names that the compiler's library has
  foreach(function IN ITEMS cond_init cond_destroy cond_wait cond_signal cond_broadcast create)
    list(APPEND blosc_defines pthread_${function}=blosc_pthread_${function})
  endforeach()
endif()
bundled(blosc FOLDER ${blosc_SOURCE_DIR}/blosc SOURCES ${blosc_files} DEFINES ${blosc_defines}
        LINKS codec_lz4 codec_zlib codec_zstd Threads::Threads)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set_property(SOURCE ${blosc_SOURCE_DIR}/blosc/shuffle.c PROPERTY COMPILE_DEFINITIONS SHUFFLE_SSE2_ENABLED SHUFFLE_AVX2_ENABLED)
  set_property(SOURCE ${blosc_SOURCE_DIR}/blosc/shuffle-avx2.c ${blosc_SOURCE_DIR}/blosc/bitshuffle-avx2.c
               PROPERTY COMPILE_OPTIONS -mavx2)
endif()
