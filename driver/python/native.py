"""native.py NGFF_H OUTPUT: writes the C source of the extension omezarr._native.

cffi reads the declarations from ngff.h itself, so no prototype is written twice, and the compiler compares each with the
header. What follows takes away what cffi's parser does not know: comments, the preprocessor, NGFF_API."""

import re
import sys

import cffi

CALLBACKS = """
extern "Python" int32_t omezarr_progress(void *user, double share);
extern "Python" void omezarr_finding(void *user, int32_t kind, const char *text);
extern "Python" int32_t omezarr_source_read(void *user, const int64_t *origin, const int64_t *extent, void *pixels);
extern "Python" int32_t omezarr_source_mask(void *user, const int64_t *origin, const int64_t *extent, uint8_t *mask);
extern "Python" int32_t omezarr_store_write(void *user, const char *key, const void *bytes, int64_t n, int32_t must_be_new,
                                            char *error, int64_t error_size);
extern "Python" int32_t omezarr_store_read(void *user, const char *key, int64_t offset, int64_t n,
                                           void *(*room)(void *to, int64_t n), void *to, int64_t *size, char *error,
                                           int64_t error_size);
extern "Python" int32_t omezarr_store_remove(void *user, const char *key, char *error, int64_t error_size);
extern "Python" int32_t omezarr_store_size(void *user, const char *key, int64_t *size, char *error, int64_t error_size);
extern "Python" int32_t omezarr_store_list(void *user, const char *prefix, int32_t is_recursive,
                                           int32_t (*found)(void *to, const char *key), void *to, char *error,
                                           int64_t error_size);
"""


def declarations(header: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", "", text, flags=re.S)
    text = re.sub(r"#if defined\(NGFF_STATIC\).*?#endif", "", text, flags=re.S)
    text = re.sub(r"#(ifndef|endif|include|define NGFF_H\b).*", "", text)
    text = re.sub(r"(#define NGFF_\w+) .*", r"\1 ...", text)
    return text.replace("NGFF_API ", "")


if __name__ == "__main__":
    header, output = sys.argv[1:]
    ffi = cffi.FFI()
    with open(header, encoding="utf-8") as file:
        ffi.cdef(declarations(file.read()) + CALLBACKS)
    ffi.set_source("omezarr._native", "#include <ngff.h>", py_limited_api=True)
    ffi.emit_c_code(output)
