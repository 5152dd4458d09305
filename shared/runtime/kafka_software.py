"""What a Kafka broker runs on: a Java, and the jars that ``deploy/kafka/pom.xml`` pins, which Maven fetches once.

They lie in a directory named after the pom, so a change of it fetches anew and anything else calls no Maven: below
``$ARREARS_KAFKA_HOME``, else below ``.arrears/kafka`` in the checkout, one copy for all its brokers. Beside the jars
lies an archive of the classes that a start loads (class data sharing), which takes a third off every start.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.ownership import file_lock

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy" / "kafka"

_JAVA_MAJOR = 17
_FETCH_SECONDS = 900.0
_NO_JAVA = f"Java {_JAVA_MAJOR} or newer is needed to run Kafka, and there is none on the PATH"
_NO_MAVEN = "Maven (mvn) is needed once, to fetch Kafka, and is not on the PATH"


class LocalKafkaError(RuntimeError):
    """The broker could not be fetched, started or stopped; the message says why in one line, and where the log is."""


@dataclass(frozen=True, slots=True)
class KafkaSoftware:
    """The jars in ``folder``; it is there with all of them, or not at all."""

    folder: Path

    @classmethod
    def of_checkout(cls) -> KafkaSoftware:
        """What the pom of this checkout asks for, fetched or not."""
        pom = DEPLOY / "pom.xml"
        if not pom.is_file():
            raise LocalKafkaError(f"{pom} is missing: a local broker is run from a checkout")
        root = Path(os.environ.get("ARREARS_KAFKA_HOME") or CHECKOUT / ".arrears" / "kafka")
        return cls(root.expanduser().resolve() / f"lib-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}")

    def missing(self) -> str | None:
        """Why no broker can run on this machine, in one line; ``None`` when one can."""
        if _java() is None:
            return _NO_JAVA
        if not self.folder.is_dir() and shutil.which("mvn") is None:
            return _NO_MAVEN
        return None

    def fetch(self, rehearse: Callable[[Path, str], None]) -> None:
        """Have Maven copy the jars, and ``rehearse`` a start, unless both are done; of many who ask at once, one does.

        ``rehearse`` starts and stops a broker in a scratch directory, with an option of Java that archives its classes.
        """
        if reason := self.missing():
            raise LocalKafkaError(reason)
        if self._archive.exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(self.folder.with_suffix(".lock"), timeout=_FETCH_SECONDS):
            if self._archive.exists():
                return
            _refuse_old_java()
            if not self.folder.is_dir():
                self._copy_by_maven()
            self._archive_classes(rehearse)

    def command(self, main: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """How ``main`` of these jars is run: ``options`` are Java's, ``arguments`` are its own."""
        java = _java()
        if java is None:
            raise LocalKafkaError(_NO_JAVA)
        ours = [f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.xml'}"]
        if self._archive.exists() and self._archive.stat().st_size:
            ours.append(f"-XX:SharedArchiveFile={self._archive}")
        jars = ":".join(str(jar) for jar in sorted(self.folder.glob("*.jar")))
        return [java, *options, *ours, "-cp", jars, main, *arguments]

    @property
    def _archive(self) -> Path:
        """Of the classes, for the Java at hand: another build of Java has another name. Empty when it can make none."""
        java = Path(_java() or "java").resolve()
        built = java.stat().st_mtime_ns if java.exists() else 0
        return self.folder / f"classes-{hashlib.sha256(f'{java}:{built}'.encode()).hexdigest()[:8]}.jsa"

    def _archive_classes(self, rehearse: Callable[[Path, str], None]) -> None:
        scratch, home = self._archive.with_suffix(".new"), self.folder.with_suffix(".rehearsal")
        shutil.rmtree(home, ignore_errors=True)
        try:
            rehearse(home, f"-XX:ArchiveClassesAtExit={scratch}")
        except LocalKafkaError:  # every start will be a little slower, and say itself what is wrong
            scratch.unlink(missing_ok=True)
        shutil.rmtree(home, ignore_errors=True)
        scratch.touch()
        scratch.rename(self._archive)

    def _copy_by_maven(self) -> None:
        scratch, log = self.folder.with_suffix(".new"), self.folder.with_suffix(".maven.log")
        shutil.rmtree(scratch, ignore_errors=True)
        command = ["mvn", "--batch-mode", "--file", str(DEPLOY / "pom.xml")]
        command += ["org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies", f"-Dlibraries={scratch}"]
        try:
            done = subprocess.run(  # noqa: S603 - the program that missing() has found, with our own pom
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise LocalKafkaError(f"Maven did not fetch Kafka within {_FETCH_SECONDS:.0f} s") from None
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode != 0:
            shutil.rmtree(scratch, ignore_errors=True)
            raise LocalKafkaError(f"Maven could not fetch Kafka: {_first_error(done.stdout)} (all it said: {log})")
        scratch.rename(self.folder)


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    own = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    return own or shutil.which("java")


def _refuse_old_java() -> None:
    java = _java() or "java"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - found on the PATH
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < _JAVA_MAJOR:
        raise LocalKafkaError(
            f"Java {_JAVA_MAJOR} or newer is needed to run Kafka; {java} is {found[1] if found else 'none'}"
        )


def _first_error(output: str) -> str:
    errors = (line for line in output.splitlines() if line.startswith("[ERROR]"))
    return next(errors, "[ERROR] no reason given").removeprefix("[ERROR]").strip()
