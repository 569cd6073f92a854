# What every addon of ours is built with. A package's CMakeLists.txt includes this after project(), from the folder
# native-build of @iocp/core, and keeps its sources in native/.

option(IOCP_NATIVE_TESTS "Build the native unit tests (no Node.js needed to run them)" OFF)
set(IOCP_SANITIZE "" CACHE STRING "Sanitizers, as passed to -fsanitize= (e.g. address,undefined)")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_MSVC_RUNTIME_LIBRARY "MultiThreaded$<$<CONFIG:Debug>:Debug>")

get_filename_component(iocp_native_build "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)

# --- what every target is compiled with ----------------------------------------------------------------------------
add_library(iocp_options INTERFACE)
target_include_directories(iocp_options INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/native")
if(MSVC)
  target_compile_options(iocp_options INTERFACE /W4 /WX /permissive- /utf-8 /Zc:__cplusplus)
else()
  target_compile_options(iocp_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror)
endif()
if(WIN32)
  target_compile_definitions(iocp_options INTERFACE
    _WIN32_WINNT=0x0A00 NTDDI_VERSION=0x0A000003 WIN32_LEAN_AND_MEAN NOMINMAX)
  if(MINGW)
    # The libraries of mingw are on no Windows machine.
    target_link_options(iocp_options INTERFACE -static)
  endif()
endif()
if(IOCP_SANITIZE)
  target_compile_options(iocp_options INTERFACE
    "-fsanitize=${IOCP_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1)
  target_link_options(iocp_options INTERFACE "-fsanitize=${IOCP_SANITIZE}")
  if(IOCP_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ warns that ThreadSanitizer does not model fences; ours orders us and the kernel, not two threads.
    target_compile_options(iocp_options INTERFACE -Wno-tsan)
  endif()
endif()

# The sources that match, without those of other systems: what belongs to one system says so in its name, as a folder
# of its own or a file win_*.cc, *_win.cc, *_posix.cc …
function(iocp_find_sources variable)
  if(WIN32)
    set(other_systems "/(posix_[^/]*|[^/]*_posix)[.]cc$")
  else()
    set(other_systems "/((win|winsock|iocp)_[^/]*|[^/]*_win)[.]cc$")
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${ARGN})
  list(FILTER sources EXCLUDE REGEX "${other_systems}")
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# Makes the targets
#   iocp_node_headers  the headers that come with Node.js
#   iocp_addon         these, the Node-API in C and C++, and how an addon is linked
#   iocp_loading       what every addon has to have so that it loads where Node.js runs
# for addons that call Node.js itself:
#   HEADERS  which of its headers have to be there, for example uv.h: a folder without them is passed over
#   SYMBOLS  a file with the functions besides the Node-API that are taken from it, one on each line; without it, there are none
function(iocp_use_node)
  cmake_parse_arguments(PARSE_ARGV 0 use "" "SYMBOLS" "HEADERS")
  # Asked of the Node.js that runs the build, whoever started CMake.
  find_program(NODE_EXECUTABLE NAMES node)
  if(NOT NODE_EXECUTABLE)
    message(FATAL_ERROR "node is missing: install Node.js 20.17 or newer, or pass -DNODE_EXECUTABLE=<path to node>.")
  endif()
  execute_process(
    COMMAND "${NODE_EXECUTABLE}" "${iocp_native_build}/native-config.cjs" ${use_HEADERS}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE lines
    ERROR_VARIABLE error
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${error}")
  endif()
  string(REPLACE "\n" ";" lines "${lines}")
  foreach(line IN LISTS lines)
    if(line MATCHES "^([A-Z_]+)=(.*)$")
      set("CONFIG_${CMAKE_MATCH_1}" "${CMAKE_MATCH_2}")
    endif()
  endforeach()
  message(STATUS "Node.js headers: ${CONFIG_NODE_HEADERS} (${CONFIG_NODE_HEADERS_SOURCE})")

  # As SYSTEM, which also puts them before the system's own: /usr/include may hold another OpenSSL and another libuv.
  add_library(iocp_node_headers INTERFACE)
  target_include_directories(iocp_node_headers SYSTEM INTERFACE "${CONFIG_NODE_HEADERS}")
  if(MINGW)
    # OpenSSL's headers tell Windows by it; mingw defines it in its own headers only, which may come later.
    target_compile_definitions(iocp_node_headers INTERFACE _M_X64=100 _M_AMD64=100)
  endif()

  add_library(iocp_addon INTERFACE)
  target_compile_definitions(iocp_addon INTERFACE
    NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED)
  # node-api-headers come first: the same node_api.h whichever Node.js runs the build.
  target_include_directories(iocp_addon SYSTEM INTERFACE "${CONFIG_NODE_API_HEADERS}" "${CONFIG_NODE_ADDON_API}")
  target_link_libraries(iocp_addon INTERFACE iocp_node_headers)

  add_library(iocp_loading OBJECT "${iocp_native_build}/addon/glibc_floor.cc")
  target_link_libraries(iocp_loading PRIVATE iocp_options)
  if(WIN32)
    include("${iocp_native_build}/cmake/NodeImportLibrary.cmake")
    iocp_add_node_import("${CONFIG_NODE_API_DEF}" "${use_SYMBOLS}")
    target_sources(iocp_loading PRIVATE "${iocp_native_build}/addon/win_delay_load.cc")
    target_include_directories(iocp_loading PRIVATE "${CMAKE_CURRENT_BINARY_DIR}")
    target_link_libraries(iocp_addon INTERFACE node_import)
  else()
    # Every symbol is bound at load: one that the host does not export fails there and not in the middle of a connection.
    target_link_options(iocp_addon INTERFACE -Wl,-z,relro,-z,now)
  endif()
endfunction()

# The addon <name>.node of these sources and objects; its targets link iocp_options and iocp_addon.
function(iocp_add_addon name)
  add_library(${name} MODULE $<TARGET_OBJECTS:iocp_loading> ${ARGN})
  target_link_libraries(${name} PRIVATE iocp_options iocp_addon)
  # The generator expression keeps generators with several configurations from adding a folder of their own.
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".node" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}$<0:>")
endfunction()
