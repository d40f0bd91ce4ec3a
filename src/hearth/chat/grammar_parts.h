#pragma once
// Pieces of grammars for JSON that schema_grammar.cpp is made of. Internal to chat.

#include <string>
#include <vector>

#include "hearth/chat/char_set.h"
#include "hearth/chat/gbnf.h"

namespace hearth::chat {

// Appends " | branch"; an empty branch is impossible and left out.
void alternative(std::string& out, const std::string& branch);

// White space as models write it between the parts of a value.
std::string space(GbnfBuilder& grammar);

// Any JSON value, down to a fixed depth: a model with nothing else to do must come to an end.
std::string free_value(GbnfBuilder& grammar);

// Strings of `characters` that are none of `names`, from the `matched`-th character on; `any` is
// the rule for any rest. Without escapes, so that no name can come in by another spelling.
std::string other_names(GbnfBuilder& grammar, const std::vector<std::u32string>& names,
                        std::size_t matched, const CharSet& characters, const std::string& any);

}  // namespace hearth::chat
