"""Registered models: versions with the numbers they had, aliases, tags, stages; files are imported ones."""

from collections import Counter
from typing import Any

from headrace.errors import HeadraceError, NotFoundError
from headrace.importing.destination import FROM, Destination
from headrace.importing.report import Report
from headrace.importing.source import Source
from headrace.model_entities import ModelVersion, RegisteredModel
from headrace_proto.v1 import models_pb2 as pb


class Registry:
    """The registered models of one call, under their names with a ``prefix``.

    ``partly``: only versions whose run is in Headrace, and models that have one.
    """

    def __init__(
        self, source: Source, destination: Destination, report: Report, prefix: str, *, partly: bool
    ) -> None:
        self._source = source
        self._to = destination
        self._report = report
        self._prefix = prefix
        self._partly = partly

    def conflicts(self) -> list[str]:
        """Names of models that are taken here by models from elsewhere."""
        taken = []
        for model in self._source.registered_models():
            name = self._prefix + model.name
            there = self.there(name)
            if there is not None and there.tags.get(FROM) != self._source.name:
                taken.append(name)
        return taken

    def there(self, name: str) -> RegisteredModel | None:
        """The registered model with this name here."""
        try:
            return self._to.client.get_registered_model(name)
        except (NotFoundError, ValueError):
            return None

    def copy(self) -> None:
        """Imports all of it, and compares it."""
        for model in self._source.registered_models():
            try:
                versions = self._chosen(self._source.versions(model.name))
                if versions or not self._partly:
                    self._copy(model, versions)
            except HeadraceError as error:
                self._report.problem(f"registered model {model.name!r}", error)
                self._report.compare(model.name, Counter({"registered models": 1}), Counter())

    def _chosen(self, versions: list[Any]) -> list[Any]:
        if not self._partly:
            return versions
        known = self._to.runs({version.run_id for version in versions if version.run_id})
        return [version for version in versions if version.run_id in known]

    def _copy(self, model: Any, versions: list[Any]) -> None:
        client, name, what = self._to.client, self._prefix + model.name, f"registered model {model.name!r}"
        numbers = {str(version.version) for version in versions}
        aliases = {alias: at for alias, at in model.aliases.items() if str(at) in numbers}
        there = self.there(name)
        if there is None:
            request = pb.CreateRegisteredModelRequest(
                name=name,
                description=model.description or "",
                tags={**model.tags, FROM: self._source.name},
                creation_time=model.creation_timestamp or 0,
            )
            self._to.core.call("CreateRegisteredModel", request)
        elif there.tags.get(FROM) != self._source.name:
            raise HeadraceError("the name is taken by a model from elsewhere; give a --prefix")
        else:
            for key in model.tags.keys() - there.tags.keys():
                client.set_registered_model_tag(name, key, model.tags[key])
        known = self._versions(name)
        for version in versions:
            try:
                self._version(name, version, known.get(str(version.version)))
            except HeadraceError as error:
                self._report.problem(f"version {version.version} of {what}", error)
        here = self.there(name)
        for alias, at in aliases.items():
            if here is not None and alias not in here.aliases:
                try:
                    client.set_registered_model_alias(name, alias, at)
                except HeadraceError as error:
                    self._report.problem(f"alias {alias!r} of {what}", error)
        self._compare(name, what, model, versions, set(aliases))

    def _version(self, name: str, version: Any, there: ModelVersion | None) -> None:
        client, number = self._to.client, str(version.version)
        if there is None:
            source, model_id = self._files_of(version)
            request = pb.CreateModelVersionRequest(
                name=name,
                source=source,
                run_id=version.run_id or "",
                run_link=version.run_link or "",
                description=version.description or "",
                model_id=model_id,
                tags=version.tags,
                user_id=version.user_id or "",
                version=int(number),
                creation_time=version.creation_timestamp or 0,
            )
            self._to.core.call("CreateModelVersion", request)
        else:
            for key in version.tags.keys() - there.tags.keys():
                client.set_model_version_tag(name, number, key, version.tags[key])
        stage = version.current_stage or "None"
        if stage != "None" and (there is None or there.current_stage == "None"):
            client.transition_model_version_stage(name, number, stage)

    def _files_of(self, version: Any) -> tuple[str, str]:
        """Where the files of a version are here, and its logged model; what was not imported stays a name."""
        model_id = getattr(version, "model_id", None) or ""
        source = version.source or ""
        if not model_id and source.startswith("models:/m-"):
            model_id = source.removeprefix("models:/").partition("/")[0]
        if model_id:
            request = pb.GetLoggedModelRequest(model_id=model_id, allow_deleted=True)
            try:
                self._to.core.call("GetLoggedModel", request)
            except NotFoundError:
                return source or "unknown", ""
            return f"models:/{model_id}", model_id
        run = self._to.runs([version.run_id]).get(version.run_id) if version.run_id else None
        if run is not None:
            theirs = self._source.artifact_uri(version.run_id).rstrip("/")
            for beginning in (theirs, f"runs:/{version.run_id}"):
                if source.startswith(beginning):
                    return run.info.artifact_uri + source.removeprefix(beginning), ""
        return source or "unknown", ""

    def _versions(self, name: str) -> dict[str, ModelVersion]:
        """The versions of a model here, by number."""
        found: dict[str, ModelVersion] = {}
        token = None
        while True:
            page = self._to.client.search_model_versions(f"name = {_quoted(name)}", page_token=token)
            found |= {str(each.version): each for each in page}
            token = page.token
            if token is None:
                return found

    def _compare(self, name: str, what: str, model: Any, versions: list[Any], aliases: set[str]) -> None:
        here = self.there(name)
        found = self._versions(name)
        theirs = Counter({"registered models": 1, "model versions": len(versions), "aliases": len(aliases)})
        theirs["tags"] = len(model.tags) + sum(len(version.tags) for version in versions)
        ours: Counter[str] = Counter()
        if here is not None:
            of_versions = [
                (each, found[str(each.version)]) for each in versions if str(each.version) in found
            ]
            ours = Counter({"registered models": 1, "model versions": len(of_versions)})
            ours["aliases"] = len(aliases & here.aliases.keys())
            ours["tags"] = len(model.tags.keys() & here.tags.keys())
            ours["tags"] += sum(len(each.tags.keys() & one.tags.keys()) for each, one in of_versions)
        self._report.compare(what, theirs, ours)


def _quoted(name: str) -> str:
    """A text of a filter."""
    return "'" + name.replace("'", "''") + "'"
