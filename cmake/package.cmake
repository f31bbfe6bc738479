# package.cmake: `cpack` makes Debian packages in a build with CMAKE_INSTALL_PREFIX=/usr (scripts/package.sh does all of it):
# gdal-omezarr (the plugin and the program), libngff0, libngff-dev. Their version names the GDAL that they were built for,
# and dpkg-shlibdeps makes them depend on its library. The conda recipe and the Homebrew formula get the version here, too.
set(NGFF_SOURCE_URL "file://${PROJECT_BINARY_DIR}/omezarr-${PROJECT_VERSION}.tar.gz" CACHE STRING "Where the release's archive is")
set(NGFF_SOURCE_SHA256 "" CACHE STRING "Its SHA-256")
configure_file(packaging/conda/recipe.yaml.in packaging/conda/recipe.yaml @ONLY)
configure_file(packaging/homebrew/omezarr.rb.in packaging/homebrew/omezarr.rb @ONLY)

if(NOT NGFF_WITH_GDAL OR NOT CMAKE_SYSTEM_NAME STREQUAL Linux)
  return()
endif()
string(REGEX MATCH "^[0-9]+\\.[0-9]+" NGFF_GDAL_MINOR "${GDAL_VERSION}")
set(made ${PROJECT_BINARY_DIR}/packaging/debian)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME omezarr)
set(CPACK_PACKAGE_VENDOR "The OME-Zarr for GDAL and Fiji authors")
set(CPACK_PACKAGE_CONTACT "The OME-Zarr for GDAL and Fiji authors <omezarr@noreply.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION}+gdal${NGFF_GDAL_MINOR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL gdal library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_GDAL_PACKAGE_NAME gdal-omezarr)
set(CPACK_DEBIAN_GDAL_PACKAGE_SECTION science)
set(CPACK_DEBIAN_GDAL_PACKAGE_RECOMMENDS gdal-bin)
set(CPACK_COMPONENT_GDAL_DESCRIPTION "OME-Zarr (NGFF) driver for GDAL ${NGFF_GDAL_MINOR}
GDAL and QGIS write any raster as a multiscale OME-Zarr image with this
plugin, and open such images as one raster with overviews. The program
omezarr verifies and validates them.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libngff0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${made}/triggers)
file(WRITE ${made}/triggers "activate-noawait ldconfig\n")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "writer and reader of OME-Zarr (NGFF) images
libngff writes multiscale OME-Zarr images in one pass, and reads them. This
build of it reaches what GDAL ${NGFF_GDAL_MINOR} reaches, servers among others.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libngff-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libngff0 (= ${CPACK_PACKAGE_VERSION})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "writer and reader of OME-Zarr (NGFF) images - development files
libngff writes multiscale OME-Zarr images in one pass, and reads them. This
package has its header and what pkg-config and CMake ask for.")

# What Debian wants of each package: its licence, its history, manuals. CPack's own script for libraries calls ldconfig, too.
find_program(GZIP gzip)
if(GZIP)
  file(WRITE ${made}/libngff0/overrides "libngff0: maintscript-calls-ldconfig\n")
  install(FILES ${made}/libngff0/overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME libngff0
          COMPONENT library EXCLUDE_FROM_ALL)
  configure_file(packaging/omezarr.1 ${made}/omezarr.1 COPYONLY)
  execute_process(COMMAND ${GZIP} -9nf ${made}/omezarr.1)
  install(FILES ${made}/omezarr.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT gdal EXCLUDE_FROM_ALL)
  file(READ LICENSE text)
  file(WRITE ${made}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
       "Upstream-Name: omezarr\n\nFiles: *\nCopyright: 2026 The OME-Zarr for GDAL and Fiji authors\nLicense: Expat\n")
  string(REGEX REPLACE "^.*\n\nPermission" "Permission" text "${text}")
  string(REGEX REPLACE "\n\n" "\n.\n" text "${text}")
  string(REGEX REPLACE "\n$" "" text "${text}")
  string(REPLACE "\n" "\n " text "${text}")
  file(APPEND ${made}/copyright " ${text}\n")
  foreach(package IN ITEMS gdal:gdal-omezarr library:libngff0 development:libngff-dev)
    string(REPLACE ":" ";" package ${package})
    list(POP_FRONT package component)
    file(WRITE ${made}/${package}/changelog "omezarr (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
         "  * See the project's CHANGELOG.md.\n\n -- ${CPACK_PACKAGE_CONTACT}  Mon, 30 Nov 2026 00:00:00 +0000\n")
    execute_process(COMMAND ${GZIP} -9nf ${made}/${package}/changelog)
    install(FILES ${made}/copyright ${made}/${package}/changelog.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
            COMPONENT ${component} EXCLUDE_FROM_ALL)
  endforeach()
endif()
include(CPack)
