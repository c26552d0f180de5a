# What must hold of the repository, whatever the compiler: headers, includes, amalgamation, style, ways to consume it.

set(root ${PROJECT_SOURCE_DIR})

# Each header compiles alone, and twice. Two units that include all of them link.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${root}/include ${root}/include/netsync/*.hpp)
set(all_headers "")
foreach(header IN LISTS headers)
    string(APPEND all_headers "#include <${header}>\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${root}/include/${header}) # which header shares a unit
endforeach()
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/alone.py ${root}/include ${CMAKE_CURRENT_BINARY_DIR}/alone
    OUTPUT_VARIABLE units OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" units "${units}")
add_library(headers_alone OBJECT ${units})
set_target_properties(headers_alone PROPERTIES CXX_COMPILER_LAUNCHER ${only_compile})

set(everything ${CMAKE_CURRENT_BINARY_DIR}/everything.cpp)
set(again ${CMAKE_CURRENT_BINARY_DIR}/again.o) # a second unit with the same in it, but for one name
file(CONFIGURE OUTPUT ${everything} CONTENT "${all_headers}extern \"C\" int everything() { return 0; }\n")
file(CONFIGURE OUTPUT together.cpp CONTENT
     "extern \"C\" int everything();\nextern \"C\" int again();\nint main() { return everything() + again(); }\n")
add_library(everything OBJECT ${everything})
add_custom_command(
    OUTPUT ${again} COMMAND ${CMAKE_OBJCOPY} --redefine-sym everything=again $<TARGET_OBJECTS:everything> ${again}
    DEPENDS everything $<TARGET_OBJECTS:everything>)
add_executable(headers_together ${CMAKE_CURRENT_BINARY_DIR}/together.cpp ${again})
target_link_libraries(headers_together PRIVATE everything)
add_test(NAME tree/headers_together COMMAND headers_together)

foreach(target headers_alone everything)
    target_link_libraries(${target} PUBLIC netsync::lan netsync::format netsync::sqlite netsync::https doctest::doctest rapidcheck netsync_flags)
    target_compile_options(${target} PRIVATE -O0 -g0 -fno-sanitize=all) # nothing here is worth waiting for
endforeach()

add_test(NAME tree/includes COMMAND Python3::Interpreter ${root}/tools/check_includes.py)
add_test(NAME tree/includes_self_test COMMAND Python3::Interpreter ${root}/tools/check_includes.py --self-test)
add_test(NAME tree/readme COMMAND Python3::Interpreter ${root}/tools/check_readme.py)
add_test(NAME tree/single_include COMMAND Python3::Interpreter ${root}/tools/amalgamate.py --check)
add_test(NAME tree/format COMMAND ${root}/tools/format --check)
add_test(NAME tree/tidy COMMAND ${root}/tools/tidy ${CMAKE_BINARY_DIR} ${everything})
set_tests_properties(tree/format tree/tidy PROPERTIES SKIP_RETURN_CODE 77) # when the tool is not there
set_tests_properties(tree/tidy PROPERTIES COST 100) # the longest begins first

foreach(way find_package components add_subdirectory fetch_content pkg_config single_include)
    add_test(NAME consumer/${way} COMMAND ${root}/tests/consumer/run ${way})
    set_tests_properties(consumer/${way} PROPERTIES ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}" COST 20)
endforeach()
