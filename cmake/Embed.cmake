# hearth_embed(OUT_CPP NAMESPACE FILES...)
#   Writes OUT_CPP with the bytes of each FILE as `const std::string_view NAME`, NAME being the file's
#   name with every other character than a letter or digit turned into '_'. Rebuilt when a file changes.
function(hearth_embed out namespace)
  set(body "// Made by cmake/Embed.cmake.\n#include <string_view>\nnamespace ${namespace} {\n")
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    # As numbers: raw string literals have a length limit in some compilers.
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(REGEX REPLACE "((....... ?){24})" "\\1\n" bytes "${bytes}")
    string(APPEND body "static constexpr char ${name}_bytes[] = {\n${bytes}'\\0'};\n"
      "extern const std::string_view ${name};\n"
      "const std::string_view ${name}{${name}_bytes, sizeof ${name}_bytes - 1};\n")
  endforeach()
  string(APPEND body "}\n")
  file(GENERATE OUTPUT ${out} CONTENT "${body}")
endfunction()
