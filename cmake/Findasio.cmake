# Makes asio::asio, the standalone Asio headers. Asio itself ships no CMake package; a package manager's goes first.
find_package(asio CONFIG QUIET)
if(TARGET asio::asio)
    return()
endif()

find_package(Threads QUIET)
find_path(asio_INCLUDE_DIR asio.hpp)
mark_as_advanced(asio_INCLUDE_DIR)
if(asio_INCLUDE_DIR)
    file(STRINGS ${asio_INCLUDE_DIR}/asio/version.hpp asio_version REGEX "ASIO_VERSION [0-9]+ // ")
    string(REGEX REPLACE ".* // " "" asio_VERSION "${asio_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(asio REQUIRED_VARS asio_INCLUDE_DIR Threads_FOUND VERSION_VAR asio_VERSION)

if(asio_FOUND)
    add_library(asio::asio INTERFACE IMPORTED)
    set_target_properties(
        asio::asio PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${asio_INCLUDE_DIR}
                              INTERFACE_COMPILE_DEFINITIONS ASIO_STANDALONE
                              INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
