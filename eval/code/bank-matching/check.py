import bisect

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

def most_pairs(book, bank, days):
    # Each of ours, earliest first, takes the earliest of theirs that is still free and near enough.
    count = 0
    for cents in {p[1] for p in book}:
        free = sorted(p[0] for p in bank if p[1] == cents)
        for day in sorted(p[0] for p in book if p[1] == cents):
            at = bisect.bisect_left(free, day - days)
            if at < len(free) and free[at] <= day + days:
                del free[at]
                count += 1
    return count

def check(input, observed, expected):
    book, bank, days = payments(input[0]) if isinstance(input[0], str) else input
    pairs, book_left, bank_left = observed
    if [p[0] for p in pairs] != sorted({p[0] for p in pairs}) or len({p[1] for p in pairs}) != len(pairs):
        return "pairs are not in order, or a payment is in two"
    for i, j in pairs:
        if book[i][1] != bank[j][1] or abs(book[i][0] - bank[j][0]) > days:
            return f"{i} and {j} do not belong together"
    if book_left != sorted(set(range(len(book))) - {p[0] for p in pairs}) or bank_left != sorted(set(range(len(bank))) - {p[1] for p in pairs}):
        return "what is left is not what is in no pair"
    most = most_pairs(book, bank, days)
    return len(pairs) == most or f"{len(pairs)} pairs; {most} are possible"
