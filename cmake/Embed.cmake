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

# hearth_embed_tree(OUT_CPP NAMESPACE ROOT)
#   Writes OUT_CPP with `extern const std::vector<std::pair<std::string_view, std::string_view>> files`: path below
#   ROOT and bytes of every file there, sorted. A new file is found at the next build.
function(hearth_embed_tree out namespace root)
  file(GLOB_RECURSE paths RELATIVE ${root} CONFIGURE_DEPENDS ${root}/*)
  list(FILTER paths EXCLUDE REGEX "__pycache__")
  list(SORT paths)
  set(body "// Made by cmake/Embed.cmake.\n#include <string_view>\n#include <utility>\n#include <vector>\nnamespace ${namespace} {\n")
  set(table "")
  set(number 0)
  foreach(path ${paths})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${root}/${path})
    file(READ ${root}/${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(REGEX REPLACE "((....... ?){24})" "\\1\n" bytes "${bytes}")
    string(APPEND body "static constexpr char file_${number}[] = {\n${bytes}'\\0'};\n")
    string(APPEND table "  {\"${path}\", {file_${number}, sizeof file_${number} - 1}},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  string(APPEND body "using Files = std::vector<std::pair<std::string_view, std::string_view>>;\n"
    "extern const Files files;\nconst Files files{\n${table}};\n}\n")
  file(GENERATE OUTPUT ${out} CONTENT "${body}")
endfunction()
