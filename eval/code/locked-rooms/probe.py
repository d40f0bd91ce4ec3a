def large():
    rows = []
    for y in range(60):
        row = []
        for x in range(60):
            wall = y % 4 == 3 and x != (1 if y % 8 == 3 else 58)
            row.append("#" if wall else ".")
        rows.append(row)
    rows[0][0], rows[59][59] = "@", "!"
    for i, (door, key) in enumerate(zip("ABCDEF", "abcdef")):
        y = 3 + 8 * i
        rows[y][1] = door
        rows[y - 1][57] = key
    rows[1][30] = rows[50][5] = "1"
    rows[5][30] = rows[6][10] = "2"
    return ["".join(row) for row in rows]

def probe(answer, input):
    return answer.fewest_steps(large() if input == ["large"] else input[0])
