def payments(text):
    _, count, days = text.split()
    state, lists = 7, ([], [])
    for side in lists:
        for _ in range(int(count)):
            state = (state * 1103515245 + 12345) % 2**31
            day = state // 65536 % 4000
            state = (state * 1103515245 + 12345) % 2**31
            side.append([day, 100 + state // 65536 % 3, ""])
    return [lists[0], lists[1], int(days)]

def probe(answer, input):
    return answer.match_payments(*(payments(input[0]) if isinstance(input[0], str) else input))
