def probe(answer, input):
    capacity, seconds, script = input
    now = [1000]
    cache = answer.TimedCache(capacity, seconds, lambda: now[0])
    seen = []
    for step in script:
        if step[0] == "wait":
            now[0] += step[1]
        elif step[0] == "put":
            cache.put(step[1], step[2])
        elif step[0] == "get":
            seen.append(cache.get(step[1], "absent"))
        else:
            seen.append(len(cache))
    return seen
