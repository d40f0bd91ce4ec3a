def probe(answer, input):
    total, weights = input[0]
    try:
        return [str(share) for share in answer.split_cents(int(total), weights)]
    except ValueError:
        return "ValueError"
