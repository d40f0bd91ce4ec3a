# Anthropic Messages. Paths from src/hearth/gateway.
list(APPEND gateway_sources anthropic/answer_json.cpp anthropic/client_tools.cpp
  anthropic/content.cpp anthropic/errors.cpp anthropic/messages.cpp anthropic/plain_text.cpp
  anthropic/request.cpp anthropic/tools.cpp anthropic/writer.cpp)
list(APPEND gateway_test_sources anthropic/equivalence_test.cpp anthropic/stream_grammar_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/support/anthropic_stream.cpp)
