"""Errors of the server: who is answered, whose turn it is, what is kept, what is refused."""

from __future__ import annotations

from tests.mutations.runner import Mutation

HOSTS, GUARD = "tests/unit/test_hosts.py", "tests/ui/test_guard.py"
TURNS, LEAVING = "tests/unit/test_turns.py", "tests/ui/test_leaving.py"
SCRATCH, FAILING = "tests/unit/test_scratch.py", "tests/ui/test_failing.py"
FETCHING, SIZING = "tests/engine/test_fetching.py", "tests/unit/test_sizing.py"
IMAGES, SEEN = "tests/engine/test_images.py", "tests/engine/test_seen.py"
CALLS, SCRIPTS = "tests/ui/test_bad_calls.py", "tests/ui/test_scripts.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


SERVING = (
    _in(
        "hosts",
        "Every name is answered",
        "return at or host.name in self.own or",
        "return at or bool(host.name) or",
        HOSTS,
    ),
    _in(
        "hosts",
        "Another program's page on this machine may call",
        "same = origin.name == host.name and origin.port in _ports(host)",
        "same = origin.name == host.name",
        HOSTS,
    ),
    _in(
        "ui/serving/guard",
        "One of two Host headers is enough",
        "if len(named) != 1 or not all(",
        "if len(named) != 1 or not any(",
        f"{GUARD}::test_two_hosts_and_two_origins_are_refused",
    ),
    _in(
        "ui/serving/guard",
        "Other websites may send forms",
        'return followed and scope.get("method") in ("GET", "HEAD")',
        "return followed",
        f"{GUARD}::test_other_websites_may_link_here_and_no_more",
    ),
    _in(
        "ui/serving/scripts",
        "A browser has to guess what a script is",
        'headers=HEADERS, media_type="text/javascript"',
        "headers=HEADERS",
        f"{SCRIPTS}::test_scripts_are_served_as_what_they_are",
    ),
    _in(
        "ui/shared/scripts",
        "All of the page's files are served",
        'FOLDER.rglob("*.js")',
        'FOLDER.rglob("*.*")',
        f"{SCRIPTS}::test_nothing_else_is_served_beside_them",
    ),
    _in(
        "ui/shared/scripts",
        "Changed scripts stay at their address",
        "        digest.update(text)\n",
        "",
        f"{SCRIPTS}::test_scripts_of_another_version_are_not_there",
    ),
    _in(
        "ui/shared/scripts",
        "Scripts are looked for at the root of whatever serves the page",
        "document.baseURI",
        "location.origin",
        f"{SCRIPTS}::test_scripts_may_come_late_and_through_a_proxy",
    ),
    _in(
        "engine/turns",
        "The outer block is forgotten in the inner one",
        "_gone.set(lambda: gone() or outer())",
        "_gone.set(gone)",
        TURNS,
    ),
    _in(
        "engine/streaming",
        "A stream goes on when its visitor has left",
        "            turns.check()\n",
        "",
        f"{TURNS}::test_a_stream_ends_when_its_visitor_leaves",
    ),
    _in(
        "ui/shared/attending",
        "Who was told everything counts as gone",
        "                if early:\n                    self._leave(key)",
        "                self._leave(key)",
        f"{LEAVING}::test_who_was_told_everything_has_not_left",
    ),
    _in(
        "ui/shared/attending",
        "Who comes back stays gone",
        "self._listening[key] += 1\n            self._left.pop(key, None)\n",
        "self._listening[key] += 1\n",
        f"{LEAVING}::test_who_was_told_everything_has_not_left",
    ),
    _in(
        "scratch",
        "The newest go first",
        "if one[2] not in self._kept), reverse=True)",
        "if one[2] not in self._kept))",
        f"{SCRATCH}::test_the_oldest_go_first_and_the_pages_own_files_stay",
    ),
    _in(
        "scratch",
        "The page's own files go, too",
        "if one[2] not in self._kept), reverse=True)",
        "if one[2]), reverse=True)",
        f"{SCRATCH}::test_the_oldest_go_first_and_the_pages_own_files_stay",
    ),
    _in(
        "scratch",
        "A living server's folder is deleted",
        "            if _locked(lock):\n                shutil",
        "            if True:\n                shutil",
        f"{SCRATCH}::test_nothing_is_left_however_it_ends",
    ),
    _in(
        "ui/serving/failing",
        "A full disk is a bare error",
        "if isinstance(error, OSError) and (line := no_room(error)):\n        return 507, line",
        "if isinstance(error, OSError) and (line := no_room(error)):\n        return 500, FAILED",
        f"{FAILING}::test_errors_become_a_status_and_a_line",
    ),
    _in(
        "scratch",
        "Uploads are kept for good",
        "or found[-1][0] < old):",
        "or found[-1][0] < 0):",
        f"{SCRATCH}::test_nothing_is_kept_over_an_hour_but_the_pages_own_files",
    ),
    _in(
        "scratch",
        "Uploads that are under way are deleted",
        "if part and entry.stat().st_mtime < since:",
        "if part:",
        f"{FAILING}::test_of_an_upload_that_fails_nothing_is_left",
    ),
    _in(
        "allocator",
        "What is free stays with the C library",
        "        library.malloc_trim(0)\n",
        "        pass\n",
        "tests/unit/test_allocator.py",
    ),
    _in(
        "models/core/fetching",
        "Texts tell which folders exist",
        "if path and local_folder(name) is None:",
        "if path and not os.path.isdir(name):",
        f"{FETCHING}::test_texts_do_not_tell_which_folders_exist",
    ),
    _in(
        "models/core/sizing",
        "Any number of layers is made",
        "if deepest > MOST_LAYERS:",
        "if deepest < 0:",
        SIZING,
    ),
    _in(
        "models/core/sizing",
        "Twenty times the weights are let pass",
        "if stored is not None and needed > FAR_MORE * stored:",
        "if stored is not None and needed > 20 * stored:",
        f"{SIZING}::test_a_larger_model_than_its_weights",
    ),
    _in(
        "engine/images",
        "Large pictures are decoded all at once",
        "with _turn if factor > 1 else nullcontext():",
        "with nullcontext():",
        f"{IMAGES}::test_large_pictures_are_decoded_one_at_a_time",
    ),
    _in(
        "engine/prepared",
        "Another part than the middle of a strip is seen",
        "left, top = (image.width - width) // 2, (image.height - height) // 2",
        "left, top = 0, 0",
        SEEN,
    ),
    _in(
        "ui/shared/calls",
        "Files that were not uploaded are handed on",
        "if not inside or not Path(path).resolve().is_relative_to(folder):",
        "if not inside:",
        f"{CALLS}::test_pictures_that_were_not_uploaded",
    ),
    _in(
        "methods/base/checks",
        "Numbers too large to calculate with are an error of their own",
        "    except OverflowError:\n        return False",
        "    except ZeroDivisionError:\n        return False",
        f"{CALLS}::test_whole_numbers_too_large_to_calculate_with",
    ),
)
