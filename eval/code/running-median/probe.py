def numbers(count):
    state = 42
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state // 2**40 % 5000

def probe(answer, input):
    readings, width = input
    if readings == "lazy":
        taken = []
        def endless():
            n = 0
            while True:
                taken.append(n)
                yield n
                n += 1
        medians = answer.running_median(endless(), width)
        seen = []
        for _ in range(4):
            seen.append([next(medians), len(taken)])
        return seen
    if isinstance(readings, str):
        total = last = count = 0
        for i, median in enumerate(answer.running_median(numbers(int(readings.split()[1])), width)):
            total = (total * 31 + median) % 1000000007
            last, count = median, i + 1
        return [total, last, count]
    try:
        return [str(m) for m in answer.running_median([int(r) for r in readings], width)]
    except ValueError:
        return "ValueError"
