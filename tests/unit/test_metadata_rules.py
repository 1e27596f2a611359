from tessera.record_metadata.rules import MAX_BYTES, violations


def test_the_limit_of_all_keys_and_texts_is_exact_and_in_bytes() -> None:
    texts = {f"k{number:02}": "\u00e9" * 198 + "x" for number in range(20)}
    assert sum(len(key) + len(text.encode()) for key, text in texts.items()) == MAX_BYTES
    assert list(violations(texts)) == []
    assert [each.code for each in violations(texts | {"k00": "\u00e9" * 199})] == ["TooLong"]
