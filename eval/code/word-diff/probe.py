def texts(input):
    if not isinstance(input[0], str):
        return input
    _, seed, count = input[0].split()
    state = int(seed) * 7919 + 1
    words = []
    for _ in range(int(count)):
        state = (state * 1103515245 + 12345) % 2**31
        words.append("w%d" % (state // 65536 % 40))
    other = []
    for word in words:
        state = (state * 1103515245 + 12345) % 2**31
        kind = state // 65536 % 10
        if kind > 0:
            other.append(word)
        if kind > 8:
            other.append("n%d" % (state // 1024 % 5))
    return [words, other]

def probe(answer, input):
    return answer.word_diff(*texts(input))
