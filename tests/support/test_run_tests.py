"""How run_tests.py counts system tests that fail once, tried on tests of its own. Run by meson."""

import contextlib
import importlib.util
import io
import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
spec = importlib.util.spec_from_file_location("run_tests", pathlib.Path(__file__).with_name("run_tests.py"))
run_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_tests)
system_tests = sys.modules["system_tests"]

FIRST_TIME = """
import pathlib

import pytest


def is_first(name):
    seen = pathlib.Path(__file__).with_name(name)
    try:
        seen.touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


"""


class Counting(unittest.TestCase):
    def run_tests(self, *texts):
        """The closing lines, of files with these texts."""
        with tempfile.TemporaryDirectory() as root:
            tests = pathlib.Path(root, "tests", "system")
            tests.mkdir(parents=True)
            files = [str(tests / f"test_it{'' if n == 0 else n}.py") for n in range(len(texts))]
            for file, text in zip(files, texts):
                pathlib.Path(file).write_text(FIRST_TIME + text)
            self.counts = run_tests.Counts()
            with contextlib.redirect_stdout(io.StringIO()):
                system_tests.run_twice(files, os.path.join(root, "results"), self.counts, lanes=2, root=root)
            self.kept = {path.name: path.read_text() for path in pathlib.Path(root, "results").glob("flaky/*")}
            return self.counts.closing().splitlines()

    def test_all_is_well(self):
        closing = self.run_tests("def test_a(): pass\n@pytest.mark.skip(reason='why')\ndef test_b(): pass\n")
        self.assertEqual(closing, ["1 passed, 0 failed, 1 skipped"])

    def test_what_fails_once_has_passed_and_is_named(self):
        closing = self.run_tests(
            "@pytest.mark.parametrize('n', ('one worker', 'x/y'))\n"
            "def test_a(n):\n    print('said')\n    assert not is_first(n[0]), 'the first time'\n"
            "def test_b(): pass\n")
        self.assertEqual(closing[-1], "3 passed, 0 failed, 0 skipped")
        self.assertEqual([line.split(" (")[0] for line in closing[:-1]],
                         ["FLAKY tests/system/test_it.py::test_a[one worker]", "FLAKY tests/system/test_it.py::test_a[x/y]"])
        self.assertEqual(sorted(self.kept), ["test_it.test_a[one worker].txt", "test_it.test_a[x-y].txt"])
        for text in self.kept.values():
            self.assertIn("the first time", text)
            self.assertIn("said", text)

    def test_what_fails_twice_has_failed(self):
        closing = self.run_tests("def test_a(): assert False\ndef test_b(): assert not is_first('b')\n")
        self.assertEqual(closing[1:], ["1 passed, 1 failed, 0 skipped"])
        self.assertIn("test_b", closing[0])

    def test_a_fixture_that_fails_once(self):
        closing = self.run_tests("@pytest.fixture\ndef f():\n    assert not is_first('up')\n    yield\n"
                                 "    assert not is_first('down')\ndef test_a(f): pass\ndef test_b(f): pass\n")
        self.assertEqual(closing[-1], "2 passed, 0 failed, 0 skipped")
        self.assertEqual(len(closing), 3)

    def test_too_many_have_failed(self):
        closing = self.run_tests("@pytest.mark.parametrize('n', range(3))\n"
                                 "def test_a(n): assert not is_first(f'{n}')\ndef test_b(): pass\n")
        self.assertEqual(closing, ["1 passed, 3 failed, 0 skipped"])

    def test_where_nearly_all_fail_none_is_tried_again(self):
        closing = self.run_tests("@pytest.mark.parametrize('n', range(20))\n"
                                 "def test_a(n): assert not is_first(f'{n}')\n")
        self.assertEqual(closing, ["0 passed, 20 failed, 0 skipped"])

    def test_files_side_by_side(self):
        closing = self.run_tests("def test_a(): assert not is_first('a')\n", "def test_b(): assert False\n",
                                 "def test_c(): pass\n", "")
        self.assertEqual([line.split(" (")[0] for line in closing],
                         ["FLAKY tests/system/test_it.py::test_a", "2 passed, 1 failed, 0 skipped"])

    def test_a_process_is_left_behind(self):
        closing = self.run_tests("import subprocess\ndef test_a(): subprocess.Popen(['sleep', '1000'])\n", "def test_b(): pass\n")
        self.assertEqual(closing, ["2 passed, 1 failed, 0 skipped"])

    def test_what_cannot_be_read_has_failed(self):
        self.assertEqual(self.run_tests("import no_such_module\n")[-1], "0 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    if importlib.util.find_spec("pytest") is None:
        print("needs pytest")
        sys.exit(77)
    unittest.main()
