"""The viewset that every resource derives from.

    class ActivityViewSet(OrganisationViewSet[Activity]):
        scope = "activities"
        queryset = Activity.objects.with_reservations()
        serializer_class = ActivitySerializer
        filterset_class = ActivityFilterSet
        default_ordering = by("-happened_at")
        orderings = {"createdAt": "created_at", "startTime": unset_last_by("start_time")}
        create_with = staticmethod(services.record)      # (organisation=, **values)
        update_with = staticmethod(services.correct)     # (activity=, values=)
        delete_with = staticmethod(services.void)        # (activity=)

A write that is not named has no route. Services answer the row, or the row and whether it is new
(201) or was there (200).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar, cast

from django.core.exceptions import ValidationError as ModelError
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from crm import replicas
from crm.api import json, pagination
from crm.api.errors import BadQuery, PreconditionFailed, violations
from crm.api.filters import FilterSet
from crm.api.names import snake
from crm.api.ordering import Ordering, by
from crm.api.pagination import KeysetPagination
from crm.api.views import ApiView, etag, matches

Row = TypeVar("Row", bound=models.Model)


class OrganisationViewSet(ApiView, GenericViewSet[Row]):
    """List, read, create, change (PATCH) and delete the rows of the request's organisation.

    Rows of another organisation are 404. Single answers have an `ETag`; `If-Match` is checked under
    the row's lock, in the transaction that writes. The pieces to override are `get_queryset`,
    `filter_queryset`, `ordering`, `represent`, `perform_create`, `perform_update`,
    `perform_destroy`.
    """

    filterset_class: ClassVar[type[FilterSet] | None] = None
    default_ordering: ClassVar[Ordering] = by("-created_at")
    # `order[NAME]`: the path of a column that is never null, or what answers an Ordering when told
    # whether it is descending, such as `unset_last_by(path)`.
    orderings: ClassVar[Mapping[str, str | Callable[[bool], Ordering]]] = {}
    create_with: ClassVar[Callable[..., Any] | None] = None
    update_with: ClassVar[Callable[..., Any] | None] = None
    delete_with: ClassVar[Callable[..., Any] | None] = None
    # What services call a row: `activity`. By default the model's name in snake_case.
    row_argument: ClassVar[str | None] = None
    lookup_value_converter = "id"
    pagination_class = None

    # Which actions there are.

    @classmethod
    def offers(cls, name: str) -> bool:
        """Whether this viewset has the action; the router makes no route for others."""
        writes = {
            "create": ("create_with", "perform_create"),
            "partial_update": ("update_with", "perform_update"),
            "destroy": ("delete_with", "perform_destroy"),
        }
        if name not in writes:
            return True
        service, method = writes[name]
        own = getattr(cls, method) is not getattr(OrganisationViewSet, method)
        return own or getattr(cls, service) is not None

    @classmethod
    def model(cls) -> type[Row]:
        """The model of the rows."""
        return cast(Any, vars(cls).get("queryset", cls.queryset)).model  # type: ignore[no-any-return]

    def staff_model(self) -> tuple[str, str] | None:
        meta = self.model()._meta
        return meta.app_label, meta.model_name or ""

    # Reading.

    def get_queryset(self) -> QuerySet[Row]:
        return cast(Any, super().get_queryset()).for_organisation(self.organisation)  # type: ignore[no-any-return]

    def get_serializer_context(self) -> dict[str, Any]:
        return {"request": self.request, "view": self, "organisation": self.organisation}

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that fit the query parameters. Raises BadQuery, or Django's ValidationError by
        parameter (400 too)."""
        if self.filterset_class is None:
            return queryset
        return self.filterset_class(self.request.query_params, queryset, request=self.request).qs

    def ordering(self, name: str, descending: bool) -> Ordering | None:
        """How `order[name]` sorts; None for a name that is not known."""
        made = self.orderings.get(name)
        if made is None:
            return None
        return by(f"-{made}" if descending else made) if isinstance(made, str) else made(descending)

    def represent(self, row: Row) -> Any:
        """The row as it is told: what `crm.api.json.dumps` takes."""
        return self.get_serializer(row).data

    def represent_page(self, rows: Sequence[Row]) -> list[Any]:
        """The rows of a list as they are told."""
        serializer = self.get_serializer()
        return [serializer.to_representation(row) for row in rows]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return replicas.read(lambda: self.paged(self.get_queryset()))

    def paged(self, rows: QuerySet[Row]) -> Response:
        """A page of `rows` after filters and order, as the query parameters say."""
        page = KeysetPagination(self.request)
        try:
            filtered = self.filter_queryset(rows)
            ordering = self.wanted_ordering()
        except ModelError as error:
            raise BadQuery.of(violations(error)) from None
        found = page.page(filtered, ordering, self.whole(rows))
        return Response(self.represent_page(found), headers=page.headers)

    def whole(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The list that a page's rows are picked from, as the ordering wants it: `rows` before
        filters."""
        return rows

    def wanted_ordering(self) -> Ordering:
        """The ordering that `order[…]` asks for. Raises BadQuery."""
        wanted = [
            (name, values)
            for name, values in self.request.query_params.lists()
            if name.startswith("order[") and name.endswith("]")
        ]
        if not wanted:
            return self.default_ordering
        if len(wanted) > 1 or len(wanted[0][1]) > 1:
            raise BadQuery(wanted[-1][0], _("Order by one field."))
        parameter, (direction,) = wanted[0]
        if direction.lower() not in {"asc", "desc"}:
            raise BadQuery(parameter, _("Use asc or desc."))
        descending = direction.lower() == "desc"
        ordering = self.ordering(parameter[len("order[") : -1], descending)
        if ordering is None:
            raise BadQuery(parameter, _("One cannot order by this."), "unknown_parameter")
        return ordering

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(self.represent(self.get_object()))

    def get_object(self) -> Row:
        try:
            return self.get_queryset().get(pk=self.kwargs["pk"])
        except models.ObjectDoesNotExist:
            raise Http404 from None

    # Writing.

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        row, created = _row_and_novelty(self.perform_create(serializer))
        told = self.represent(row)
        return Response(
            told,
            status=HTTPStatus.CREATED if created else HTTPStatus.OK,
            headers={"Location": self.address(row)},
        )

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.unchanged() as row:
            serializer = self.get_serializer(row, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            changed = self.perform_update(serializer)
            return Response(self.represent(changed or row))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.unchanged() as row:
            self.perform_destroy(row)
        return Response(status=HTTPStatus.NO_CONTENT)

    def perform_create(self, serializer: BaseSerializer[Row]) -> Any:
        """Call the service: the row, or the row and whether it is new."""
        assert self.create_with is not None
        return self.create_with(organisation=self.organisation, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Row]) -> Row | None:
        """Call the service: the row as it is now."""
        assert self.update_with is not None
        answer = self.update_with(
            **{self._argument(): serializer.instance}, values=serializer.validated_data
        )
        return _row_and_novelty(answer)[0] if answer is not None else None

    def perform_destroy(self, instance: Row) -> None:
        """Call the service."""
        assert self.delete_with is not None
        self.delete_with(**{self._argument(): instance})

    def _argument(self) -> str:
        if self.row_argument is not None:
            return self.row_argument
        return snake(self.model().__name__)

    def address(self, row: Row) -> str:
        """The address of a row of this resource, without the host."""
        collection = self.request.path.partition("/api/")[2].partition("/")[0]
        return f"/api/{collection}/{row.pk}"

    @contextmanager
    def unchanged(self) -> Iterator[Row]:
        """The row of this request, to be changed within `with`.

        Without `If-Match` it is just the row. With it, the row is locked in a transaction that
        lasts to the end of `with`; raises PreconditionFailed when its `ETag` is another by now.
        """
        wanted = self.request.META.get("HTTP_IF_MATCH")
        if wanted is None:
            yield self.get_object()
            return
        with transaction.atomic():
            self.lock(self.get_object())
            row = self.get_object()
            if not matches(wanted, etag(json.dumps(self.represent(row)))):
                raise PreconditionFailed
            yield row

    def lock(self, row: Row) -> None:
        """Hold the row until the transaction ends. On SQLite the transaction itself does."""
        rows = cast(Any, type(row)._default_manager).for_organisation(self.organisation)
        rows.select_for_update().filter(pk=row.pk).values_list("pk").first()

    # Query parameters.

    def known_parameters(self) -> Sequence[Mapping[str, Any]]:
        own = super().known_parameters()
        if not self.is_list():
            return own
        filters = self.filterset_class.parameters() if self.filterset_class else []
        orders = [
            {
                "name": f"order[{name}]",
                "description": gettext_lazy("Sort by this field; one at a time."),
                "schema": {"type": "string", "enum": ["asc", "desc"]},
            }
            for name in self.orderings
        ]
        return [*own, *filters, *orders, *pagination.PARAMETERS]

    def reads_parameter(self, name: str) -> bool:
        # The same answer as from `known_parameters`, without describing every filter first.
        if self.is_list() and (
            name in pagination.NAMES
            or (self.filterset_class is not None and self.filterset_class.claims(name))
            or (name.startswith("order[") and name[6:-1] in self.orderings and name[-1] == "]")
        ):
            return True
        return super().reads_parameter(name)

    def is_list(self) -> bool:
        """Whether this action answers a filtered page of rows. Override where another one does."""
        return self.action_name == "list"


def _row_and_novelty(answer: Any) -> tuple[Any, bool]:
    if isinstance(answer, tuple):
        return answer[0], bool(answer[1])
    return answer, True
