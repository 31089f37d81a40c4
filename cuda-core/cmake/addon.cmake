# xcore_addon(NAME): one addon of one package. It sees include/xcore and node-addon-api and links nothing else.
function(xcore_addon name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/*.cpp)
  add_library(${name} MODULE ${sources} ${CMAKE_JS_SRC})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".node" CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON
    CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${name} PRIVATE ${XCORE_INCLUDE_DIR} ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
  target_compile_definitions(${name} PRIVATE NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_GYP_MODULE_NAME=${name})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-unused-parameter -Wno-cast-function-type -O2)
  target_link_libraries(${name} PRIVATE ${CMAKE_JS_LIB})
  if(UNIX AND NOT APPLE)
    target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,--gc-sections -s)
  endif()
endfunction()
