# xcore.node: the core and its Node binding in one file. No SONAME and no second file, so two versions of the core can be
# loaded side by side; -z nodelete, because the thread pool outlives a worker that loaded us.
file(GLOB binding CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/binding/*.cpp)
add_library(xcore_node MODULE ${binding} ${CMAKE_JS_SRC})
xcore_compile_options(xcore_node)
set_target_properties(xcore_node PROPERTIES PREFIX "" SUFFIX ".node" OUTPUT_NAME xcore)
target_include_directories(xcore_node PRIVATE ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
target_compile_definitions(xcore_node PRIVATE NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_GYP_MODULE_NAME=xcore)
target_link_libraries(xcore_node PRIVATE xcore ${CMAKE_JS_LIB})
if(UNIX AND NOT APPLE)
  target_link_options(xcore_node PRIVATE -Wl,-z,nodelete -Wl,--exclude-libs,ALL -Wl,--gc-sections -s)
endif()
