# Windows: what the addon takes from Node.js is bound when it is first called, to the program that runs
# (addon/win_delay_load.cc), so that node.exe may have another name. Makes the target node_import, and node_symbols.inc in
# the build folder: the names in `symbols` as C++ strings.
#   node_api_def  the list of the Node-API, from node-api-headers
#   symbols       a file with further functions that node.exe exports, one on each line; empty: there are none
function(iocp_add_node_import node_api_def symbols)
  set(def "${CMAKE_CURRENT_BINARY_DIR}/node.def")
  file(READ "${node_api_def}" node_api)
  set(further "")
  if(symbols)
    get_filename_component(symbols "${symbols}" ABSOLUTE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${symbols}")
    file(READ "${symbols}" further)
  endif()
  # The list of the Node-API does not end with a newline.
  file(WRITE "${def}" "${node_api}\n${further}")

  string(REGEX REPLACE "([A-Za-z0-9_]+)" "\"\\1\"," names "${further}")
  file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/node_symbols.inc" CONTENT "${names}")

  add_library(node_import INTERFACE)
  if(MSVC)
    set(library "${CMAKE_CURRENT_BINARY_DIR}/node.lib")
    set(machine x64)
    if(CMAKE_CXX_COMPILER_ARCHITECTURE_ID STREQUAL "ARM64")
      set(machine ARM64)
    endif()
    set(command "${CMAKE_AR}" /nologo "/def:${def}" "/out:${library}" "/machine:${machine}")
    target_link_libraries(node_import INTERFACE "${library}" delayimp)
    target_link_options(node_import INTERFACE /DELAYLOAD:NODE.EXE)
  else()
    set(library "${CMAKE_CURRENT_BINARY_DIR}/libnode.a")
    find_program(CMAKE_DLLTOOL NAMES x86_64-w64-mingw32-dlltool dlltool REQUIRED)
    set(command "${CMAKE_DLLTOOL}" -d "${def}" -D node.exe -y "${library}")
    target_link_libraries(node_import INTERFACE "${library}" delayimp)
  endif()
  execute_process(COMMAND ${command} RESULT_VARIABLE result ERROR_VARIABLE error OUTPUT_VARIABLE error)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "The import library of node.exe could not be made: ${error}")
  endif()
endfunction()
