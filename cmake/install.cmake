# Installs libngff, its header, pkg-config and CMake config files. Components: those of packages (package.cmake).
include(CMakePackageConfigHelpers)
install(TARGETS ngff EXPORT ngff-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT library
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
if(NGFF_BUNDLED_CODECS)
  install(FILES LICENSE licenses/THIRD-PARTY.txt DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)
endif()
install(EXPORT ngff-targets NAMESPACE ngff:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ngff COMPONENT development)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/ngff-config.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/ngff-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ngff-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ngff-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ngff-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ngff COMPONENT development)
# ngff.pc finds the prefix from its own place, so that the installed tree may be moved, or be installed to another prefix
# than the one configured. Folders that were given as absolute paths are what they are.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(NGFF_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
  set(NGFF_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(NGFF_PC_PREFIX "\${pcfiledir}/${up}")
  set(NGFF_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(NGFF_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(NGFF_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/ngff.pc.in ngff.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ngff.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
