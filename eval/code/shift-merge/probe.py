import copy

def probe(answer, input):
    before = copy.deepcopy(input)
    merged = answer.merge_shifts(*input)
    return {"merged": merged, "argument_unchanged": input == before}
