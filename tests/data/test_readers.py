import numpy as np
import pytest

from tinyformer.data import read_columns, read_csv, read_imdb
from tinyformer.data.dataset import tenth


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(data):
    parts = data.train, data.validation, data.test
    return sorted((text, data.classes[label]) for part in parts for text, label in zip(*part))


def test_a_csv_file(tmp_path):
    path = written(tmp_path / "mine.csv",
                   '\ufeffid,text,label\r\n1,"good, really",pos\r\n2,"two\nlines",neg\n\n3, 好 ,pos\n')
    data = read_csv(path)
    assert pairs(data) == sorted([("good, really", "pos"), ("two\nlines", "neg"), ("好", "pos")])
    assert data.name == "mine" and data.classes == ("neg", "pos")
    assert pairs(read_csv(path, classes=("pos", "neg", "odd"))) == pairs(data)
    assert read_csv(path, classes=("pos", "neg", "odd")).classes == ("pos", "neg", "odd")
    tabs = written(tmp_path / "mine.tsv", "y\tx\npos\ta,b\nneg\tc\n")
    assert pairs(read_csv(tabs, text="x", label="y")) == [("a,b", "pos"), ("c", "neg")]


def test_the_rows_of_a_csv_file_are_split_by_their_texts(tmp_path):
    rows = [f"text {i},{'pos' if i % 2 else 'neg'}\n" for i in range(100)]
    data = read_csv(written(tmp_path / "many.csv", "".join(["text,label\n", *rows])))
    tenths = [{tenth(text) for text in part.x} for part in (data.test, data.validation, data.train)]
    assert tenths == [{0}, {1}, {2, 3, 4, 5, 6, 7, 8, 9}]


@pytest.mark.parametrize("content, said", [
    ("", " has no column 'text', it has no columns"),
    ("review,label\na,b\n", " has no column 'text', it has 'review', 'label'"),
    ("text,score\na,b\n", " has no column 'label', it has 'text', 'score'"),
    ("text,label\n", " has no rows, expected at least two classes"),
    ("text,label\na,pos\nb,pos\n", " has only the class 'pos', expected at least two classes"),
    ("text,label\na,pos\n  ,neg\n", ", line 3: the column 'text' is empty"),
    ("text,label\na,pos\nb,\n", ", line 3: the column 'label' is empty"),
    ("text,label\na,pos\nb\n", ", line 3: 1 fields, expected 2"),
    ("text,label\na,b,pos\n", ", line 2: 3 fields, expected 2"),
    ('text,label\n"a"b,pos\n', ", line 2: "),
    ('text,label\n"a,pos\n', ", line 2: unexpected end of data"),
])
def test_a_csv_file_that_will_not_do(tmp_path, content, said):
    path = written(tmp_path / "bad.csv", content)
    with pytest.raises(ValueError) as caught:
        read_csv(path)
    assert str(caught.value).startswith(f"read_csv: {path}{said}")


def test_bytes_labels_and_files_that_will_not_do(tmp_path):
    path = written(tmp_path / "bad.csv", b"text,label\nabc,pos\nd\xe9,neg\n")
    with pytest.raises(ValueError, match=r"bad.csv is not UTF-8: byte 0xe9 at offset 20"):
        read_csv(path)
    path = written(tmp_path / "bad.csv", "text,label\nabc,pos\nd,maybe\n")
    with pytest.raises(ValueError, match="line 3: unknown label 'maybe', expected one of neg, pos"):
        read_csv(path, classes=("neg", "pos"))
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "nowhere.csv")


def test_imdb_in_its_folders(tmp_path):
    for part in ("train", "test"):
        for kind in ("neg", "pos"):
            for i in range(30):
                written(tmp_path / part / kind / f"{i}_7.txt", f"{part} {kind} {i} é")
    written(tmp_path / "train" / "unsup" / "0_0.txt", "no label")
    data = read_imdb(tmp_path)
    assert len(data.test.x) == 60 and len(data.train.x) + len(data.validation.x) == 60
    assert {text.split()[0] for text in data.train.x + data.validation.x} == {"train"}
    assert {tenth(text) for text in data.validation.x} == {1} and 1 not in {tenth(text) for text in data.train.x}
    for part in (data.train, data.validation, data.test):
        assert part.y.dtype == np.int64
        assert [("neg", "pos")[label] for label in part.y] == [text.split()[1] for text in part.x]


def test_imdb_that_is_not_there(tmp_path):
    written(tmp_path / "train" / "neg" / "0_1.txt", "text")
    with pytest.raises(ValueError, match="read_imdb: no texts in .*pos, expected the folder aclImdb with train/neg"):
        read_imdb(tmp_path)
    written(tmp_path / "train" / "pos" / "0_1.txt", b"\xff")
    with pytest.raises(ValueError, match="0_1.txt is not UTF-8: byte 0xff at offset 0"):
        read_imdb(tmp_path)


def test_columns_of_a_csv_file(tmp_path):
    path = written(tmp_path / "mine.csv", "who,text\nmen, a \n\nwomen,b\n")
    assert read_columns(path, "text", "who") == [["a", "b"], ["men", "women"]]
    assert read_columns(written(tmp_path / "mine.tsv", "x\ty\n1\t2,3\n"), "y") == [["2,3"]]
    for content, message in (("who,text\n", "has no rows, expected at least one"), ("a\nb\n", "has no column 'text'"),
                             ("text\n\"\"\n", "line 2: the column 'text' is empty")):
        with pytest.raises(ValueError, match=message):
            read_columns(written(tmp_path / "wrong.csv", content), "text")
