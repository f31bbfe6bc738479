# Installs libngff, its header, pkg-config and CMake config files.
include(CMakePackageConfigHelpers)
install(TARGETS ngff EXPORT ngff-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT ngff-targets NAMESPACE ngff:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ngff)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/ngff-config.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/ngff-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ngff-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ngff-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ngff-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ngff)
configure_file(cmake/ngff.pc.in ngff.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ngff.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
